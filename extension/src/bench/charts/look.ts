/** What our charts have in common: quiet axes, thin grid, the page's font and colours. */
import type uPlot from 'uplot';
import { count, plain, real } from '../format';
import type { Palette } from '../theme';

export const FONT = '11px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif';

export function axis(palette: Palette, more: Partial<uPlot.Axis>): uPlot.Axis {
  return {
    stroke: palette.muted,
    font: FONT,
    grid: { stroke: palette.line, width: 1 },
    ticks: { show: false },
    gap: 6,
    ...more
  };
}

export function steps(palette: Palette): uPlot.Axis {
  return axis(palette, {
    size: 22,
    grid: { show: false },
    space: 60,
    values: (_, splits) => splits.map(step => (Number.isInteger(step) ? stepTick(step) : ''))
  });
}

/** Steps up to four digits whole, longer ones in thousands: 1250, 12.5k. */
export function stepTick(step: number): string {
  return step < 10_000
    ? count(step)
    : step < 1e6
      ? `${plain(step / 1e3)}k`
      : `${plain(step / 1e6)}M`;
}

/** On a log axis only whole powers of ten are named. */
export const powers = (splits: (number | null)[]): string[] =>
  splits.map(value => {
    if (value === null || value <= 0) {
      return '';
    }
    const exponent = Math.log10(value);
    if (Math.abs(exponent - Math.round(exponent)) > 1e-6) {
      return '';
    }
    return value >= 1e-3 && value <= 1e4
      ? real(value, 1)
      : `10${superscript(Math.round(exponent))}`;
  });

const RAISED = '⁰¹²³⁴⁵⁶⁷⁸⁹';

export function superscript(n: number): string {
  return n
    .toString()
    .replace('-', '⁻')
    .replace(/\d/g, digit => RAISED[Number(digit)] ?? digit);
}

/** Log or linear, in uPlot's numbers: its enum is a type only, without names at run time. */
// eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment
export const distribution = (log: boolean) => (log ? 3 : 1) as uPlot.Scale.Distr;

/** The whole run, never narrower than ten steps. Before the first point uPlot hands in nulls. */
export function wholeRun(min: number | null, max: number | null): uPlot.Range.MinMax {
  const from = min ?? 0;
  return [from, Math.max(max ?? 0, from + 10)];
}

/** A little air around positive values on a log axis. */
export function logRange(min: number | null, max: number | null): uPlot.Range.MinMax {
  return min === null || max === null || !(min > 0) ? [1e-4, 10] : [min / 1.5, max * 1.5];
}
