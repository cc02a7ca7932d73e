/** How far the run is, in a bar and in words. */
import { count, duration, real } from '../format';
import { useSlow, useStatus } from '../hooks';

export function Progress() {
  const status = useStatus();
  const { step, steps_total: total, epoch, state } = status;
  const facts = useSlow(status, 500);
  const part = total ? Math.min(1, step / total) : null;
  const speed = facts.steps_per_s;
  const words = [
    total ? `step ${count(step)} of ${count(total)}` : `step ${count(step)}`,
    `epoch ${count(epoch)}`,
    state === 'running' && speed ? `${speed >= 10 ? count(speed) : real(speed, 2)} steps/s` : '',
    state === 'running' && facts.eta_s != null ? `${duration(facts.eta_s)} left` : ''
  ].filter(Boolean);
  return (
    <div
      className="wb-progress"
      data-testid="wb-progress"
      data-step={step}
      data-endless={total ? undefined : true}
    >
      {part !== null && total !== null && (
        <div
          className="wb-bar"
          role="progressbar"
          aria-label="Training progress"
          aria-valuemin={0}
          aria-valuemax={total}
          aria-valuenow={step}
          aria-valuetext={words.slice(0, 2).join(', ')}
        >
          <div className="wb-bar-fill" style={{ transform: `scaleX(${part})` }} />
        </div>
      )}
      <div className="wb-facts">
        {words.map((text, i) => (
          <span key={i}>{text}</span>
        ))}
      </div>
    </div>
  );
}
