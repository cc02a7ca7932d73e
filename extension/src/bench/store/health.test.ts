import { describe, expect, it } from 'vitest';
import { judge, median } from './health';
import { Series } from './series';

const of = (values: number[]) => {
  const series = new Series(256);
  series.append(
    values.map((_, i) => i),
    values
  );
  return series;
};
const steady = (value: number) => of(Array<number>(40).fill(value));

describe('the health of a gradient', () => {
  it.each([
    ['ok', steady(0.1), 1, false],
    ['ok', steady(1e-7), 1e-6, false],
    ['vanishing', steady(1e-6), 1, false],
    ['exploding', steady(5000), 5000, false],
    ['exploding', of([...Array<number>(40).fill(0.01), ...Array<number>(9).fill(10)]), 10, false],
    ['exploding', of([1, 1, NaN]), 1, false],
    ['none', steady(0), 1, false],
    ['frozen', steady(0), 1, true],
    ['unknown', undefined, 1, false]
  ] as const)('is %s', (verdict, norms, largest, frozen) => {
    const health = judge(norms, undefined, largest, frozen);
    expect(health.verdict).toBe(verdict);
    expect(health.why).not.toBe('');
  });

  it('takes medians, so that one odd step changes nothing', () => {
    const series = steady(0.1);
    series.append([100], [1e-9]);
    expect(judge(series, undefined, 0.1, false).verdict).toBe('ok');
    expect(median([3, 1, 2], 0, 3)).toBe(2);
    expect(median([], 0, 0)).toBeNull();
  });
});
