import { describe, expect, it } from 'vitest';
import { decimate, logBins, lowerBound } from './decimate';
import { extremes, Series } from './series';

const filled = (n: number, value: (i: number) => number, capacity = 8192) => {
  const series = new Series(capacity, 0.9);
  series.append(
    Array.from({ length: n }, (_, i) => i),
    Array.from({ length: n }, (_, i) => value(i))
  );
  return series;
};

describe('a series', () => {
  it('keeps points in order and leaves out repeats of a resend', () => {
    const series = filled(10, i => i);
    series.append([8, 9, 10], [80, 90, 100]);
    expect(series.length).toBe(11);
    expect(series.last).toBe(100);
    expect(series.values[9]).toBe(9);
  });

  it('stays within its memory, spans the whole run, and keeps a spike', () => {
    const series = filled(100_000, i => (i === 777 ? 50 : 1), 1024);
    expect(series.length).toBeLessThanOrEqual(1024);
    expect(series.steps[0]).toBeLessThan(5);
    expect(series.lastStep).toBe(99_999);
    const values = [...series.values.subarray(0, series.length)];
    expect(Math.max(...values)).toBe(50);
    const steps = [...series.steps.subarray(0, series.length)];
    expect(steps.every((step, i) => i === 0 || step > (steps[i - 1] ?? NaN))).toBe(true);
  });

  it('smooths a constant to itself from the first point on', () => {
    const series = filled(50, () => 3);
    expect([...series.smooth.subarray(0, 50)].every(v => Math.abs(v - 3) < 1e-6)).toBe(true);
    series.smoothing(0);
    expect(series.smooth[49]).toBe(3);
  });

  it('does not let one NaN spoil the smoothed line', () => {
    const series = filled(20, i => (i === 10 ? NaN : 1));
    expect(series.smooth[19]).toBeCloseTo(1);
    expect(series.values[10]).toBeNaN();
  });

  it('finds the extremes of a stretch, two different ones, in order', () => {
    expect(extremes([5, 1, 9, 3], 0, 4)).toEqual([1, 2]);
    expect(extremes([9, 3, 3, 1], 0, 4)).toEqual([0, 3]);
    expect(extremes([2, 2, 2, 2], 0, 4)).toEqual([0, 3]);
    const [a, b] = extremes([NaN, NaN, 4, NaN], 0, 4);
    expect(a).not.toBe(b);
  });
});

describe('decimation', () => {
  it('hands on few points as they are', () => {
    const line = decimate(
      filled(10, i => i * i),
      100
    );
    expect(line.x).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(line.raw[3]).toBe(9);
  });

  it('keeps to twice the width and loses no spike', () => {
    const line = decimate(
      filled(8000, i => (i === 4321 ? -7 : Math.sin(i))),
      200
    );
    expect(line.x.length).toBeLessThanOrEqual(400);
    expect(line.raw).toContain(-7);
    expect(line.x.every((x, i) => i === 0 || x > (line.x[i - 1] ?? NaN))).toBe(true);
  });

  it('cuts out a range with one point more on either side', () => {
    const line = decimate(
      filled(100, i => i),
      1000,
      40,
      42
    );
    expect(line.x).toEqual([39, 40, 41, 42]);
  });

  it('turns numbers that are not finite into gaps', () => {
    expect(
      decimate(
        filled(3, i => (i === 1 ? Infinity : 1)),
        10
      ).raw
    ).toEqual([1, null, 1]);
  });

  it('finds lower bounds', () => {
    const steps = Float64Array.of(1, 3, 3, 7);
    expect([0, 1, 2, 3, 4, 8].map(x => lowerBound(steps, 4, x))).toEqual([0, 0, 1, 1, 3, 4]);
  });
});

describe('bins for the heat map', () => {
  it('average logarithms, fill gaps and leave the future empty', () => {
    const series = new Series(64);
    series.append([0, 1, 20], [1, 100, 10]);
    const bins = logBins(series, 4, 0, 40);
    expect(bins[0]).toBeCloseTo(1);
    expect(bins[1]).toBeCloseTo(1);
    expect(bins[2]).toBeCloseTo(1);
    expect(bins[3]).toBeNaN();
  });
});
