/** Draws layers × time as a heat map: one row a layer, colour the logarithm of the gradient norm. */
import { logBins } from '../store/decimate';
import type { Series } from '../store/series';
import { type Palette, ramp } from '../theme';

/** Norms of 10⁻⁸ and less are faintest, of 10² and more strongest. */
export const LOW = -8;
export const HIGH = 2;
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

/** Fills `image` (columns × rows); where nothing was recorded it stays clear. */
export function paintRow(
  pixels: Uint8ClampedArray,
  row: number,
  bins: Float32Array,
  table: Uint8ClampedArray
): void {
  bins.forEach((log, column) => {
    const at = (row * bins.length + column) * 4;
    if (Number.isNaN(log)) {
      pixels[at + 3] = 0;
      return;
    }
    const level = Math.round(255 * Math.min(1, Math.max(0, (log - LOW) / (HIGH - LOW))));
    pixels.set(table.subarray(level * 4, level * 4 + 4), at);
  });
}

/** Draws all rows into the canvas, one image pixel per column and layer, scaled up unsmoothed. */
export function paint(
  canvas: HTMLCanvasElement,
  series: (Series | undefined)[],
  columns: number,
  table: Uint8ClampedArray
): void {
  const context = canvas.getContext('2d');
  if (!context || columns < 1 || series.length === 0) {
    return;
  }
  if (canvas.width !== columns || canvas.height !== series.length) {
    canvas.width = columns;
    canvas.height = series.length;
  }
  const known = series.filter(one => one !== undefined && one.length > 0);
  const from = Math.min(...known.map(one => one?.steps[0] ?? 0));
  const to = Math.max(...known.map(one => one?.lastStep ?? 0));
  const image = context.createImageData(columns, series.length);
  series.forEach((one, row) => {
    const bins = one ? logBins(one, columns, from, to + 1) : new Float32Array(columns).fill(NaN);
    paintRow(image.data, row, bins, table);
  });
  context.putImageData(image, 0, 0);
}
