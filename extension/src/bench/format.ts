/** Numbers, shapes and durations as people read them. */

const THIN = '\u202f';
const MINUS = '\u2212';
const TIMES = '\u00d7';
const DASH = '\u2013';

const isNumber = (x: number | null | undefined): x is number => x != null && !Number.isNaN(x);

/** A whole number with thin-space groups: 12 340. */
export function count(x: number | null | undefined): string {
  if (!isNumber(x)) {
    return DASH;
  }
  const digits = Math.round(Math.abs(x)).toString();
  const grouped = digits.length > 4 ? digits.replace(/\B(?=(\d{3})+(?!\d))/g, THIN) : digits;
  return x < 0 ? MINUS + grouped : grouped;
}

/** A count in little room: 940, 12.3k, 4.5M. */
export function short(x: number): string {
  for (const [size, unit] of [
    [1e9, 'G'],
    [1e6, 'M'],
    [1e3, 'k']
  ] as const) {
    if (Math.abs(x) >= size * 0.9995) {
      const scaled = x / size;
      return `${scaled >= 99.95 ? Math.round(scaled).toString() : trim(scaled.toFixed(1))}${unit}`;
    }
  }
  return Math.round(x).toString();
}

const trim = (text: string) => (text.includes('.') ? text.replace(/\.?0+$/, '') : text);

/** A measured number with `digits` significant digits; tiny and huge ones in powers of ten. */
export function real(x: number | null | undefined, digits = 3): string {
  if (x == null) {
    return DASH;
  }
  if (Number.isNaN(x)) {
    return 'NaN';
  }
  if (!Number.isFinite(x)) {
    return x > 0 ? '∞' : `${MINUS}∞`;
  }
  if (x === 0) {
    return '0';
  }
  const size = Math.abs(x);
  const text =
    size < 1e-3 || size >= 1e5
      ? x.toExponential(digits - 1).replace('e+', 'e')
      : x.toFixed(Math.max(0, digits - 1 - Math.floor(Math.log10(size))));
  return text.replace(/-/g, MINUS);
}

/** A hyper-parameter as one would type it in Python: 0.001, 3e-5, 1. */
export function plain(x: number): string {
  if (x !== 0 && (Math.abs(x) < 1e-3 || Math.abs(x) >= 1e6)) {
    return x.toExponential().replace('e+', 'e');
  }
  return String(Number(x.toPrecision(12)));
}

export function percent(x: number | null | undefined, digits = 1): string {
  return isNumber(x) ? `${(x * 100).toFixed(digits)}${THIN}%` : DASH;
}

export function shape(dims: readonly number[] | null | undefined): string {
  if (!dims) {
    return '';
  }
  return dims.length === 0 ? 'scalar' : dims.join(TIMES);
}

/** Time left, in at most two units: 8 s, 2 min 05 s, 1 h 20 min. */
export function duration(seconds: number | null | undefined): string {
  if (!isNumber(seconds) || !Number.isFinite(seconds) || seconds < 0) {
    return DASH;
  }
  const s = Math.round(seconds);
  const two = (x: number) => x.toString().padStart(2, '0');
  if (s < 60) {
    return `${s} s`;
  }
  if (s < 3600) {
    return `${Math.floor(s / 60)} min ${two(s % 60)} s`;
  }
  return `${Math.floor(s / 3600)} h ${two(Math.floor((s % 3600) / 60))} min`;
}

/** A change with its sign: +1 024, −64, ±0. */
export function signed(x: number): string {
  return x === 0 ? '±0' : x > 0 ? `+${count(x)}` : count(x);
}
