/** What a curve shows, in a sentence. */
import { count } from '../format';
import { useSession, useSlow, useTopic } from '../hooks';
import type { Mark } from '../protocol';
import type { Series } from '../store/series';
import type { CurveSpec } from './curvePlot';

export function summarise(
  title: string,
  train: Series | undefined,
  validation: Series | undefined,
  marks: readonly Mark[],
  format: (value: number) => string
): string {
  if (!train?.length) {
    return `${title}: no points yet.`;
  }
  const values = train.smooth.subarray(0, train.length).filter(Number.isFinite);
  const [first, last] = [values[0] ?? NaN, values.at(-1) ?? NaN];
  const parts = [
    `${title} over ${count(train.lastStep)} steps, smoothed: began at ${format(first)}`,
    `lowest ${format(values.reduce((a, b) => Math.min(a, b), Infinity))}`,
    `highest ${format(values.reduce((a, b) => Math.max(a, b), -Infinity))}`,
    `now ${format(last)}`
  ];
  if (validation?.last != null) {
    parts.push(`validation now ${format(validation.last)}`);
  }
  const changes = marks.map(mark => `${mark.label} at step ${count(mark.step)}`);
  return `${parts.join(', ')}.${changes.length ? ` Changes: ${changes.slice(-8).join('; ')}.` : ''}`;
}

export function useSummary(title: string, spec: CurveSpec): string {
  const { store } = useSession();
  const beat = useSlow(useTopic('series'), 3000);
  return beat < 0
    ? ''
    : summarise(
        title,
        store.series.get(spec.raw),
        store.series.get(spec.validation),
        store.marks,
        spec.format
      );
}
