/** Where the arrow keys lead on the picture of a network. */
import type { Placed, PlacedNode } from './layout';

export type Direction = 'ArrowUp' | 'ArrowDown' | 'ArrowLeft' | 'ArrowRight';

const centre = (node: PlacedNode) => ({ x: node.x + node.width / 2, y: node.y + node.height / 2 });

/** The nearest box in that direction; along wires first for up and down. */
export function neighbour(placed: Placed, from: string, direction: Direction): string | null {
  const here = placed.nodes.get(from);
  if (!here) {
    return placed.nodes.keys().next().value ?? null;
  }
  const vertical = direction === 'ArrowUp' || direction === 'ArrowDown';
  const wired = placed.edges
    .filter(edge => (direction === 'ArrowDown' ? edge.source === from : edge.target === from))
    .map(edge => (direction === 'ArrowDown' ? edge.target : edge.source));
  const pool =
    vertical && wired.length
      ? wired.flatMap(id => placed.nodes.get(id) ?? [])
      : [...placed.nodes.values()];
  const a = centre(here);
  let best: string | null = null;
  let least = Infinity;
  for (const node of pool) {
    const b = centre(node);
    const [dx, dy] = [b.x - a.x, b.y - a.y];
    const ahead = { ArrowUp: -dy, ArrowDown: dy, ArrowLeft: -dx, ArrowRight: dx }[direction];
    const aside = vertical ? Math.abs(dx) : Math.abs(dy);
    if (node.id !== from && ahead > 1 && ahead + 2 * aside < least) {
      least = ahead + 2 * aside;
      best = node.id;
    }
  }
  return best;
}
