import { describe, expect, it } from 'vitest';
import type { Graph, GraphNode } from '../protocol';
import { isotonic } from './isotonic';
import { END, layout, rowsOf } from './layout';
import { neighbour } from './navigate';
import { lastMiddle, wirePath } from './path';

const node = (id: string, inputs: string[], parameters = 0): GraphNode => ({
  id,
  name: id,
  type: 'ReLU',
  family: 'Activation',
  args: {},
  inputs,
  shape: [4],
  parameters,
  flops: 0,
  frozen: false,
  repr: 'ReLU()',
  configurable: true
});

const graph = (nodes: GraphNode[], output = nodes.at(-1)?.id ?? 'input'): Graph => ({
  version: 1,
  input: { id: 'input', name: 'input', shape: [4], dtype: 'float32' },
  output,
  nodes
});

const chain = graph([node('a', ['input'], 5), node('b', ['a']), node('c', ['b'])]);
const residual = graph([
  node('a', ['input']),
  node('b', ['a']),
  node('c', ['b']),
  node('add', ['c', 'a'])
]);

describe('the layout of a network', () => {
  it('stacks a chain in one column, rows clear of each other', () => {
    const { nodes } = layout(chain);
    const boxes = ['input', 'a', 'b', 'c', END].flatMap(id => nodes.get(id) ?? []);
    expect(boxes).toHaveLength(5);
    expect(new Set(boxes.map(box => box.x)).size).toBe(1);
    boxes.slice(1).forEach((box, i) => {
      const above = boxes[i];
      expect(box.y).toBeGreaterThan((above?.y ?? 0) + (above?.height ?? 0));
    });
  });

  it('puts a layer below all of its inputs', () => {
    const rows = rowsOf(residual);
    expect([...rows]).toEqual([
      ['input', 0],
      ['a', 1],
      ['b', 2],
      ['c', 3],
      ['add', 4],
      [END, 5]
    ]);
  });

  it('keeps the main line straight and leads a skip around the boxes it passes', () => {
    const { nodes, edges, width } = layout(residual);
    const xs = ['a', 'b', 'c', 'add'].map(id => nodes.get(id)?.x);
    expect(new Set(xs).size).toBe(1);
    const skip = edges.find(edge => edge.source === 'a' && edge.target === 'add');
    const passing = skip?.points.slice(1, -1) ?? [];
    expect(passing).toHaveLength(4);
    for (const id of ['b', 'c']) {
      const box = nodes.get(id);
      for (const point of passing) {
        expect(point.x > (box?.x ?? 0) + (box?.width ?? 0) || point.x < (box?.x ?? 0)).toBe(true);
        expect(point.x).toBeLessThanOrEqual(width);
      }
    }
  });

  it('lets wires arrive at a join side by side', () => {
    const ends = layout(residual)
      .edges.filter(edge => edge.target === 'add')
      .map(edge => edge.points.at(-1)?.x);
    expect(new Set(ends).size).toBe(2);
  });

  it('places parallel branches beside each other', () => {
    const { nodes } = layout(
      graph([
        node('a', ['input']),
        node('b', ['input']),
        node('c', ['input']),
        node('j', ['a', 'b', 'c'])
      ])
    );
    const boxes = ['a', 'b', 'c'].flatMap(id => nodes.get(id) ?? []).sort((p, q) => p.x - q.x);
    expect(new Set(boxes.map(box => box.y)).size).toBe(1);
    boxes.slice(1).forEach((box, i) => {
      expect(box.x).toBeGreaterThanOrEqual((boxes[i]?.x ?? 0) + box.width);
    });
  });

  it('copes with an empty network and with layers that lead nowhere', () => {
    expect([...layout(graph([])).nodes.keys()]).toEqual(['input', END]);
    const loose = layout(graph([node('a', ['input']), node('b', ['a'])], 'a'));
    expect(loose.edges.find(edge => edge.target === END)?.source).toBe('a');
  });
});

describe('moving about with arrows', () => {
  it('follows the wires up and down', () => {
    const placed = layout(residual);
    expect(neighbour(placed, 'a', 'ArrowDown')).toBe('b');
    expect(neighbour(placed, 'add', 'ArrowUp')).toBe('c');
    expect(neighbour(placed, 'input', 'ArrowUp')).toBeNull();
    expect(neighbour(placed, 'gone', 'ArrowUp')).toBe('input');
  });
});

describe('wires', () => {
  it('are straight where they can be', () => {
    const straight = [
      { x: 5, y: 0 },
      { x: 5, y: 10 }
    ];
    expect(wirePath(straight)).toBe('M5,0L5,10');
    expect(lastMiddle(straight)).toEqual({ x: 5, y: 5 });
    expect(wirePath([])).toBe('');
  });
});

describe('isotonic regression', () => {
  it('pools what is out of order', () => {
    expect(isotonic([1, 3, 2, 4], [1, 1, 1, 1])).toEqual([1, 2.5, 2.5, 4]);
    expect(isotonic([4, 0], [3, 1])).toEqual([3, 3]);
    expect(isotonic([], [])).toEqual([]);
  });
});
