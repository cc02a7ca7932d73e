/** The arithmetic of a small curve: where its line goes and what a screen reader says of it. */

/**
 * An SVG path through `values`, from left to right, in a box of `width` × `height` with `pad` on all
 * sides. Gaps (NaN) break the line; a constant series is drawn half-way up.
 */
export function path(values: readonly number[], width: number, height: number, pad = 1): string {
  const finite = values.filter(Number.isFinite);
  if (finite.length === 0) {
    return '';
  }
  const low = Math.min(...finite);
  const span = Math.max(...finite) - low;
  const across = width - 2 * pad;
  const down = height - 2 * pad;
  const commands: string[] = [];
  let pen = 'M';
  values.forEach((value, index) => {
    if (!Number.isFinite(value)) {
      pen = 'M';
      return;
    }
    const x = pad + (values.length === 1 ? 0 : (across * index) / (values.length - 1));
    const y = pad + (span === 0 ? down / 2 : down * (1 - (value - low) / span));
    commands.push(`${pen}${round(x)} ${round(y)}`);
    pen = 'L';
  });
  return commands.join('');
}

/** First, last and lowest finite value, or null when there is none. */
export function extent(
  values: readonly number[]
): { first: number; last: number; lowest: number } | null {
  const finite = values.filter(Number.isFinite);
  const first = finite[0];
  const last = finite[finite.length - 1];
  if (first === undefined || last === undefined) {
    return null;
  }
  return { first, last, lowest: Math.min(...finite) };
}

/** A loss in a few characters: three figures, powers of ten when very small or large. */
export function shortNumber(value: number): string {
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e5)) {
    return value.toExponential(1);
  }
  return size >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
