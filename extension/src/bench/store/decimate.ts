/** From thousands of points to as many as a chart has pixels. */
import type { Series } from './series';
import { extremes } from './series';

/** First index whose step is ≥ `step`. */
export function lowerBound(steps: Float64Array, length: number, step: number): number {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((steps[middle] ?? NaN) < step) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

export interface Line {
  x: number[];
  raw: (number | null)[];
  smooth: (number | null)[];
}

const orNull = (x: number | undefined) => (x !== undefined && Number.isFinite(x) ? x : null);

/**
 * The points of `series` between two steps, at most about two per bucket: the extremes of each
 * bucket, so that no spike is lost, each with the smoothed value of its step.
 */
export function decimate(series: Series, buckets: number, from = -Infinity, to = Infinity): Line {
  const line: Line = { x: [], raw: [], smooth: [] };
  const { steps, values, smooth, length } = series;
  // One point more on either side lets lines run off the edge of a zoomed chart.
  const start = Math.max(0, lowerBound(steps, length, from) - 1);
  const end = Math.min(length, lowerBound(steps, length, to) + 1);
  const keep = (i: number) => {
    line.x.push(steps[i] ?? NaN);
    line.raw.push(orNull(values[i]));
    line.smooth.push(orNull(smooth[i]));
  };
  if (end - start <= 2 * buckets) {
    for (let i = start; i < end; i++) {
      keep(i);
    }
    return line;
  }
  const first = steps[start] ?? 0;
  const width = ((steps[end - 1] ?? 0) - first) / buckets || 1;
  for (let b = 0, at = start; b < buckets && at < end; b++) {
    const stop =
      b === buckets - 1 ? end : Math.max(at, lowerBound(steps, end, first + (b + 1) * width));
    if (stop - at > 2) {
      const [one, two] = extremes(values, at, stop);
      keep(one);
      keep(two);
    } else {
      for (let i = at; i < stop; i++) {
        keep(i);
      }
    }
    at = stop;
  }
  return line;
}

/** Mean of log₁₀ of a positive quantity in equal bins of steps; empty bins repeat the one before. */
export function logBins(series: Series, columns: number, from: number, to: number): Float32Array {
  const bins = new Float32Array(columns).fill(NaN);
  const counts = new Uint32Array(columns);
  const width = (to - from) / columns || 1;
  const start = lowerBound(series.steps, series.length, from);
  for (let i = start; i < series.length; i++) {
    const column = Math.min(columns - 1, Math.floor(((series.steps[i] ?? 0) - from) / width));
    const log = Math.log10(Math.max(series.values[i] ?? NaN, 1e-30));
    const n = counts[column] ?? 0;
    bins[column] = n ? ((bins[column] ?? 0) * n + log) / (n + 1) : log;
    counts[column] = n + 1;
  }
  let last = columns - 1;
  while (last >= 0 && !counts[last]) {
    last -= 1;
  }
  for (let c = 1; c <= last; c++) {
    if (!counts[c] && counts[c - 1]) {
      bins[c] = bins[c - 1] ?? NaN;
      counts[c] = 1;
    }
  }
  return bins;
}
