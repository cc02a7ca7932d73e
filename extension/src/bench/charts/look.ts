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

/**
 * Where a log axis has its lines: at 1, 2, 5 of each decade, at whole powers of ten where there are
 * many. uPlot's own never ends when the axis does not begin at a power of ten.
 */
export function logSplits(min: number, max: number): number[] {
  const from = Math.floor(Math.log10(min));
  const to = Math.ceil(Math.log10(max));
  if (!Number.isFinite(from) || !Number.isFinite(to)) {
    return [];
  }
  const within: number[] = [];
  for (let power = from; power <= to; power += Math.ceil((to - from) / 12) || 1) {
    for (const digit of to - from > 3 ? [1] : [1, 2, 5]) {
      const value = Number(`${digit}e${power}`);
      if (value >= min && value <= max) {
        within.push(value);
      }
    }
  }
  return within;
}

/** An axis with a logarithmic scale. */
export const logAxis: Partial<uPlot.Axis> = {
  splits: (_, __, min, max) => logSplits(min, max),
  filter: (_, splits) => splits,
  values: (_, splits) => logLabels(splits)
};

/** Whole powers of ten; where fewer than two are in sight, every line by its value. */
export function logLabels(splits: number[]): string[] {
  const named = powers(splits);
  return named.filter(Boolean).length > 1 ? named : splits.map(logLabel);
}

function logLabel(value: number): string {
  if (value >= 1e-3 && value <= 1e4) {
    return real(value, 1);
  }
  const exponent = Math.floor(Math.log10(value) + 1e-9);
  const digit = Math.round(value / 10 ** exponent);
  return `${digit === 1 ? '' : `${digit}·`}10${superscript(exponent)}`;
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
