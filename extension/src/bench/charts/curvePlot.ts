/** The data and the look of one curve: faint raw values, smoothed line, validation points, marks. */
import uPlot from 'uplot';
import { decimate, type Line } from '../store/decimate';
import type { Series } from '../store/series';
import type { Store } from '../store/store';
import { css, type Palette } from '../theme';
import type { ChartSource } from './chart';
import { axis, distribution, logAxis, steps, wholeRun } from './look';
import { marksPlugin } from './marks';

export interface Range {
  min: number;
  max: number;
}

export interface CurveSpec {
  raw: string;
  validation: string;
  log: boolean;
  format: (value: number) => string;
  tick: (value: number) => string;
  sync: string;
  /** Whether marks carry their labels here; one of two charts is enough. */
  labels: boolean;
  /** Lowest and highest value the axis may show. */
  limits?: [number, number];
}

const NONE: Line = { x: [], raw: [], smooth: [] };
const line = (series: Series | undefined, width: number, range: Range | null) =>
  series ? decimate(series, Math.max(50, width), range?.min, range?.max) : NONE;

/** On a log axis there is no place for zero. */
const positive = (values: (number | null)[], log: boolean) =>
  log ? values.map(value => (value !== null && value > 0 ? value : null)) : values;

export function curveData(
  store: Store,
  spec: CurveSpec,
  width: number,
  range: Range | null
): uPlot.AlignedData {
  const train = line(store.series.get(spec.raw), width, range);
  const test = line(store.series.get(spec.validation), width, range);
  return uPlot.join([
    [train.x, positive(train.raw, spec.log), positive(train.smooth, spec.log)],
    [test.x, positive(test.raw, spec.log)]
  ]);
}

export interface CurveHooks {
  range: () => Range | null;
  zoomed: (range: Range) => void;
  hovered: (index: number | null, u: uPlot) => void;
}

export function curveSource(
  store: Store,
  spec: CurveSpec,
  palette: Palette,
  hooks: CurveHooks
): ChartSource {
  return {
    data: width => curveData(store, spec, width, hooks.range()),
    options: size => ({
      ...size,
      legend: { show: false },
      padding: [8, 10, 0, 0],
      cursor: {
        sync: { key: spec.sync },
        drag: { x: true, y: false, setScale: false },
        points: { size: 6 }
      },
      scales: {
        x: {
          time: false,
          range: (_, min, max) => {
            const range = hooks.range();
            return range ? [range.min, range.max] : wholeRun(min, max);
          }
        },
        y: {
          distr: distribution(spec.log),
          range: (_, min, max) => yRange(spec, min, max)
        }
      },
      axes: [
        steps(palette),
        axis(palette, {
          size: 46,
          space: 32,
          ...(spec.log ? logAxis : { values: (_, splits) => splits.map(value => spec.tick(value)) })
        })
      ],
      series: [
        {},
        { stroke: css(palette.accentRgb, 0.28), width: 1, spanGaps: true, points: { show: false } },
        { stroke: palette.accent, width: 2, spanGaps: true, points: { show: false } },
        {
          stroke: palette.ink,
          width: 1,
          dash: [4, 3],
          spanGaps: true,
          points: { show: true, size: 5, width: 1.25, fill: palette.paper, stroke: palette.ink }
        }
      ],
      hooks: {
        setSelect: [
          u => {
            if (u.select.width > 4) {
              hooks.zoomed({
                min: u.posToVal(u.select.left, 'x'),
                max: u.posToVal(u.select.left + u.select.width, 'x')
              });
              u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
            }
          }
        ],
        setCursor: [u => hooks.hovered(u.cursor.idx ?? null, u)]
      },
      plugins: [marksPlugin(() => store.marks, palette, spec.labels)]
    })
  };
}

function yRange(spec: CurveSpec, low: number | null, high: number | null): [number, number] {
  if (low === null || high === null || !Number.isFinite(low) || !Number.isFinite(high)) {
    return spec.limits ?? (spec.log ? [0.01, 1] : [0, 1]);
  }
  if (spec.log) {
    return low === high ? [low / 2, high * 2] : [low / 1.3, high * 1.3];
  }
  const pad = (high - low || Math.abs(high) || 1) * 0.06;
  const [bottom, top] = spec.limits ?? [-Infinity, Infinity];
  // Losses and accuracies begin at zero; an axis that dips below would only mislead.
  return [
    Math.max(bottom, low >= 0 ? Math.max(0, low - pad) : low - pad),
    Math.min(top, high + pad)
  ];
}
