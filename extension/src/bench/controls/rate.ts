/** A learning rate lives on a log scale: steps go 1, 2, 5, 10, and text may be 3e-4 or 0.0003. */

const SERIES = [1, 2, 5];

/** The next number up or down in …, 0.1, 0.2, 0.5, 1, …; a number between two goes to its neighbour. */
export function nudge(value: number, up: boolean): number {
  if (!(value > 0)) {
    return up ? 1e-4 : 0;
  }
  const exponent = Math.floor(Math.log10(value) + 1e-9);
  const around = [exponent - 1, exponent, exponent + 1].flatMap(e =>
    SERIES.map(m => Number(`${m}e${e}`))
  );
  const near = value * 1e-6;
  const next = up
    ? around.find(x => x > value + near)
    : around.reverse().find(x => x < value - near);
  return next ?? value;
}

export function parseRate(text: string): number | null {
  const value = Number(text.trim().replace(',', '.').replace('\u2212', '-'));
  return text.trim() !== '' && Number.isFinite(value) && value >= 0 ? value : null;
}

export function parseBatch(text: string): number | null {
  return /^\d+$/.test(text.trim()) && Number(text) >= 1 ? Number(text) : null;
}
