/** A wire as an SVG path: leaves and arrives upright, bends only between rows. */
import type { Point } from './layout';

export function wirePath(points: readonly Point[]): string {
  const [first, ...rest] = points;
  if (!first) {
    return '';
  }
  let at = first;
  let path = `M${first.x},${first.y}`;
  for (const to of rest) {
    const middle = (at.y + to.y) / 2;
    path +=
      at.x === to.x ? `L${to.x},${to.y}` : `C${at.x},${middle} ${to.x},${middle} ${to.x},${to.y}`;
    at = to;
  }
  return path;
}

/** The middle of the wire's last stretch, where a new layer would go. */
export function lastMiddle(points: readonly Point[]): Point {
  const a = points.at(-2);
  const b = points.at(-1);
  return a && b ? { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 } : { x: 0, y: 0 };
}

/** The middle of the first stretch, where the shape of what flows is written. */
export function firstMiddle(points: readonly Point[]): Point {
  const [a, b] = points;
  return a && b ? { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 } : { x: 0, y: 0 };
}
