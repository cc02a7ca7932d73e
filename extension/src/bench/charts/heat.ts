/** Draws layers × time as a heat map: one row a layer, colour the logarithm of the gradient norm. */
import { logBins } from '../store/decimate';
import type { Series } from '../store/series';
import { type Palette, ramp } from '../theme';

/** Powers of ten that the faintest and the strongest colour stand for. */
export type Decades = readonly [number, number];
export const COLUMN = 3;

/** 256 colours, made once for a palette. */
export function lookup(palette: Palette): Uint8ClampedArray {
  const table = new Uint8ClampedArray(256 * 4);
  for (let i = 0; i < 256; i++) {
    const [r, g, b] = ramp(palette, i / 255);
    table.set([r, g, b, 255], i * 4);
  }
  return table;
}

/**
 * Whole decades around all finite values, never fewer than three, so that noise stays faint. The
 * present range stays while it serves: colours that jump would look like news.
 */
export function decades(rows: readonly Float32Array[], present: Decades | null = null): Decades {
  let low = Infinity;
  let high = -Infinity;
  for (const row of rows) {
    for (const log of row) {
      if (log > -20 && log < 20) {
        low = Math.min(low, log);
        high = Math.max(high, log);
      }
    }
  }
  if (low > high) {
    return present ?? [-3, 0];
  }
  const top = Math.ceil(high) || 0;
  const bottom = Math.min(Math.floor(low), top - 3);
  const serves =
    present !== null &&
    present[0] <= low &&
    present[1] >= high &&
    present[1] - present[0] <= top - bottom + 1;
  return serves ? present : [bottom, top];
}

/** Fills `image` (columns × rows); where nothing was recorded it stays clear. */
export function paintRow(
  pixels: Uint8ClampedArray,
  row: number,
  bins: Float32Array,
  table: Uint8ClampedArray,
  [low, high]: Decades
): void {
  bins.forEach((log, column) => {
    const at = (row * bins.length + column) * 4;
    if (Number.isNaN(log)) {
      pixels[at + 3] = 0;
      return;
    }
    const level = Math.round(255 * Math.min(1, Math.max(0, (log - low) / (high - low))));
    pixels.set(table.subarray(level * 4, level * 4 + 4), at);
  });
}

/** Draws all rows, one pixel per column and layer (CSS scales them up), and gives their range. */
export function paint(
  canvas: HTMLCanvasElement,
  series: (Series | undefined)[],
  columns: number,
  table: Uint8ClampedArray,
  present: Decades | null
): Decades | null {
  const context = canvas.getContext('2d');
  if (!context || columns < 1 || series.length === 0) {
    return null;
  }
  if (canvas.width !== columns || canvas.height !== series.length) {
    canvas.width = columns;
    canvas.height = series.length;
  }
  const known = series.filter(one => one !== undefined && one.length > 0);
  const from = Math.min(...known.map(one => one?.steps[0] ?? 0));
  const to = Math.max(...known.map(one => one?.lastStep ?? 0));
  const rows = series.map(one =>
    one ? logBins(one, columns, from, to + 1) : new Float32Array(columns).fill(NaN)
  );
  const range = decades(rows, present);
  const image = context.createImageData(columns, series.length);
  rows.forEach((bins, row) => paintRow(image.data, row, bins, table, range));
  context.putImageData(image, 0, 0);
  return range;
}
