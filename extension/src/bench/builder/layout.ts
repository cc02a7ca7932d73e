/**
 * Places a network's layers from top to bottom: each on the row below its lowest input, wires that
 * pass rows in between led around the boxes there.
 */
import type { Graph, GraphNode } from '../protocol';
import { isotonic } from './isotonic';

export const END = 'end';
export const WIDTH = 208;
export const GAP_Y = 26;
const GAP_X = 28;
const LANE = 10;

export interface Point {
  x: number;
  y: number;
}

export interface PlacedNode extends Point {
  id: string;
  width: number;
  height: number;
}

export interface PlacedEdge {
  id: string;
  source: string;
  target: string;
  /** Which of the target's inputs this wire is. */
  slot: number;
  points: Point[];
}

export interface Placed {
  nodes: Map<string, PlacedNode>;
  edges: PlacedEdge[];
  width: number;
  height: number;
}

interface Item {
  /** A layer's id, or null for a wire on its way through the row. */
  id: string | null;
  row: number;
  width: number;
  x: number;
  up: Item[];
  down: Item[];
}

/** Layers with arguments or parameters worth a second line are taller. */
export function heightOf(node: GraphNode): number {
  return node.parameters > 0 ? 44 : 30;
}

const PILL = 26;

export function rowsOf(graph: Graph): Map<string, number> {
  const rows = new Map([[graph.input.id, 0]]);
  const byId = new Map(graph.nodes.map(node => [node.id, node]));
  const rowOf = (id: string, seen: Set<string>): number => {
    const known = rows.get(id);
    const node = byId.get(id);
    if (known !== undefined || !node || seen.has(id)) {
      return known ?? 0;
    }
    seen.add(id);
    const row = 1 + Math.max(0, ...node.inputs.map(input => rowOf(input, seen)));
    rows.set(id, row);
    return row;
  };
  for (const node of graph.nodes) {
    rowOf(node.id, new Set());
  }
  rows.set(END, 1 + Math.max(...rows.values()));
  return rows;
}

export function layout(graph: Graph): Placed {
  const rows = rowsOf(graph);
  const heights = new Map(graph.nodes.map(node => [node.id, heightOf(node)]));
  const items = new Map<string, Item>();
  const grid: Item[][] = Array.from({ length: (rows.get(END) ?? 1) + 1 }, () => []);
  const put = (id: string | null, row: number): Item => {
    const item: Item = { id, row, width: id ? WIDTH : LANE, x: 0, up: [], down: [] };
    grid[row]?.push(item);
    if (id) {
      items.set(id, item);
    }
    return item;
  };
  for (const [id, row] of rows) {
    put(id, row);
  }

  const routes = wires(graph).map(wire => {
    const source = items.get(wire.source);
    const target = items.get(wire.target);
    const path = source && target ? thread(source, target, put) : [];
    return { ...wire, path };
  });

  for (let pass = 0; pass < 4; pass++) {
    untangle(grid, pass % 2 === 0 ? 'up' : 'down');
  }
  for (const row of grid) {
    spread(
      row,
      row.map((_, i) => i * WIDTH)
    );
  }
  for (let pass = 0; pass < 12; pass++) {
    align(grid, pass % 2 === 0 ? 'up' : 'down');
  }
  return measure(grid, routes, heights);
}

function wires(graph: Graph): { id: string; source: string; target: string; slot: number }[] {
  const list = graph.nodes.flatMap(node =>
    node.inputs.map((source, slot) => ({
      id: `${source}>${node.id}#${slot}`,
      source,
      target: node.id,
      slot
    }))
  );
  const output = graph.output || graph.input.id;
  return [...list, { id: `${output}>${END}#0`, source: output, target: END, slot: 0 }];
}

/** Links two items through a passing point in every row between them. */
function thread(source: Item, target: Item, put: (id: null, row: number) => Item): Item[] {
  const path = [source];
  for (let row = source.row + 1; row < target.row; row++) {
    path.push(put(null, row));
  }
  path.push(target);
  for (let i = 1; i < path.length; i++) {
    const [above, below] = [path[i - 1], path[i]];
    if (above && below) {
      above.down.push(below);
      below.up.push(above);
    }
  }
  return path;
}

const mean = (numbers: number[]) => numbers.reduce((a, b) => a + b, 0) / numbers.length;

/** Orders each row by where its neighbours in the row before stand (barycentre heuristic). */
function untangle(grid: Item[][], side: 'up' | 'down'): void {
  const order = side === 'up' ? grid : [...grid].reverse();
  for (const row of order) {
    const place = new Map<Item, number>();
    for (const [i, item] of row.entries()) {
      const neighbours = item[side].map(other => grid[other.row]?.indexOf(other) ?? 0);
      place.set(item, neighbours.length ? mean(neighbours) : i);
    }
    // Wires in passing go to the right of the layers they pass.
    const rank = (item: Item) => (place.get(item) ?? 0) + (item.id ? 0 : 0.25);
    row.sort((a, b) => rank(a) - rank(b));
  }
}

/** Moves the items of a row as near to `wanted` as their order and widths allow. */
function spread(row: Item[], wanted: number[]): void {
  const offsets: number[] = [];
  let at = 0;
  for (const [i, item] of row.entries()) {
    const before = row[i - 1];
    at += before ? (before.width + item.width) / 2 + GAP_X : 0;
    offsets.push(at);
  }
  // A layer insists on its place more than a passing wire does.
  const weights = row.map(item => (item.id ? 1000 : 1));
  const placed = isotonic(
    wanted.map((x, i) => x - (offsets[i] ?? 0)),
    weights
  );
  row.forEach((item, i) => {
    item.x = (placed[i] ?? 0) + (offsets[i] ?? 0);
  });
}

function align(grid: Item[][], side: 'up' | 'down'): void {
  const order = side === 'up' ? grid : [...grid].reverse();
  for (const row of order) {
    const wanted = row.map(item => {
      const layers = item[side].filter(other => other.id);
      const pull = item.id && layers.length ? layers : item[side];
      return pull.length ? mean(pull.map(other => other.x)) : item.x;
    });
    spread(row, wanted);
  }
}

function measure(
  grid: Item[][],
  routes: { id: string; source: string; target: string; slot: number; path: Item[] }[],
  heights: Map<string, number>
): Placed {
  const all = grid.flat();
  const left = Math.min(...all.map(item => item.x - item.width / 2));
  const right = Math.max(...all.map(item => item.x + item.width / 2));
  const nodes = new Map<string, PlacedNode>();
  const tops: number[] = [];
  const tall = (item: Item) => (item.id ? (heights.get(item.id) ?? PILL) : 0);
  let y = 0;
  for (const [r, row] of grid.entries()) {
    tops[r] = y;
    const height = Math.max(...row.map(tall), 0);
    for (const item of row) {
      if (item.id) {
        nodes.set(item.id, {
          id: item.id,
          x: Math.round(item.x - left - item.width / 2),
          y: Math.round(y + (height - tall(item)) / 2),
          width: item.width,
          height: tall(item)
        });
      }
    }
    y += height + GAP_Y;
  }
  const bottom = (row: number) => (tops[row + 1] ?? y) - GAP_Y;
  const edges = routes.map(({ path, ...wire }) => ({
    ...wire,
    points: path.flatMap(item => {
      const x = Math.round(item.x - left);
      const node = item.id ? nodes.get(item.id) : undefined;
      if (!node) {
        return [
          { x, y: tops[item.row] ?? 0 },
          { x, y: bottom(item.row) }
        ];
      }
      return [{ x, y: item === path[0] ? node.y + node.height : node.y }];
    })
  }));
  fan(edges, nodes);
  return { nodes, edges, width: right - left, height: y - GAP_Y };
}

/** Wires into a join arrive side by side, in the order in which they come. */
function fan(edges: PlacedEdge[], nodes: Map<string, PlacedNode>): void {
  for (const node of nodes.values()) {
    const arriving = edges.filter(edge => edge.target === node.id);
    if (arriving.length > 1) {
      arriving.sort((a, b) => (a.points.at(-2)?.x ?? 0) - (b.points.at(-2)?.x ?? 0));
      arriving.forEach((edge, i) => {
        const last = edge.points.at(-1);
        if (last) {
          last.x = Math.round(node.x + (node.width * (i + 1)) / (arriving.length + 1));
        }
      });
    }
  }
}
