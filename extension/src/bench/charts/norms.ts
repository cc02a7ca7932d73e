/** Gradient norms of all layers on a log axis: the first layer faint, the last strong. */
import uPlot from 'uplot';
import { decimate } from '../store/decimate';
import type { Store } from '../store/store';
import { css, mix, type Palette, ramp, type Rgb } from '../theme';
import type { ChartSource } from './chart';
import { axis, distribution, logAxis, logRange, steps, wholeRun } from './look';
import { marksPlugin } from './marks';

/** Deep layers stand out more; even the first stands clear of the paper. */
export function lineColour(palette: Palette, i: number, n: number): Rgb {
  const strong = ramp(palette, n > 1 ? 0.3 + (0.6 * i) / (n - 1) : 0.6);
  return mix(strong, palette.inkRgb, 0.06);
}

export function normsSource(
  store: Store,
  ids: string[],
  palette: Palette,
  focus: () => string | null
): ChartSource {
  return {
    data: width => {
      const tables = ids.map(id => {
        const series = store.series.get(`grad_norm:${id}`);
        const line = series ? decimate(series, Math.max(50, width / 2)) : { x: [], smooth: [] };
        return [
          line.x,
          line.smooth.map(v => (v !== null && v > 0 ? v : null))
        ] as uPlot.AlignedData;
      });
      return tables.length ? uPlot.join(tables) : [[]];
    },
    options: size => ({
      ...size,
      legend: { show: false },
      padding: [8, 10, 0, 0],
      cursor: { drag: { x: false, y: false }, points: { show: false } },
      scales: {
        x: { time: false, range: (_, min, max) => wholeRun(min, max) },
        y: {
          distr: distribution(true),
          range: (_, min, max) => logRange(min, max)
        }
      },
      axes: [steps(palette), axis(palette, { size: 46, space: 28, ...logAxis })],
      series: [
        {},
        ...ids.map((id, i) => ({
          stroke: () => {
            const chosen = focus();
            const colour = lineColour(palette, i, ids.length);
            return css(colour, chosen === null || chosen === id ? 1 : 0.18);
          },
          width: 1.5,
          spanGaps: true,
          points: { show: false }
        }))
      ],
      plugins: [marksPlugin(() => store.marks, palette)]
    })
  };
}
