/** The two or three numbers one looks at first. */
import { percent, real } from '../format';
import { useSession, useSlow, useStatus, useTopic } from '../hooks';

export function Numbers() {
  const { store } = useSession();
  const status = useSlow(useStatus(), 150);
  useTopic('series');
  const validation = status.metrics['val/accuracy'] ?? store.series.get('val/accuracy')?.last;
  const big = [
    { id: 'loss', label: 'Loss', text: real(status.loss, (status.loss ?? 1) < 0.01 ? 2 : 3) },
    { id: 'accuracy', label: 'Accuracy', text: percent(status.metrics.accuracy) },
    { id: 'val-accuracy', label: 'Validation', text: percent(validation) }
  ];
  return (
    <dl className="wb-numbers">
      {big.map(({ id, label, text }) => (
        <div key={id} className="wb-big">
          <dt>{label}</dt>
          <dd data-testid={`wb-${id}`}>{text}</dd>
        </div>
      ))}
    </dl>
  );
}
