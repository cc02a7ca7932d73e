/** The network in the terms of the graph editor: boxes with handles, wires with their way. */
import { type Edge, type Node, Position } from '@xyflow/react';
import type { Catalogue, Graph, GraphNode } from '../protocol';
import { brief } from './args';
import { END, type Placed, type PlacedNode, type Point } from './layout';
import { onWire, type Place } from './state';

export interface LayerData extends Record<string, unknown> {
  layer: GraphNode;
  brief: string;
  selected: boolean;
  focusable: boolean;
  slots: number;
  /** The latest refusal was about this layer. */
  trouble: boolean;
}

export interface EndData extends Record<string, unknown> {
  shape: number[];
  name: string;
  selected: boolean;
  focusable: boolean;
}

export interface WireData extends Record<string, unknown> {
  points: Point[];
  shape: number[] | null;
  parting: boolean;
  place: Place;
  between: string;
  chosen: boolean;
  focusable: boolean;
}

export type LayerFlowNode = Node<LayerData, 'layer'>;
export type PillFlowNode = Node<EndData, 'source' | 'tail'>;
export type FlowNode = LayerFlowNode | PillFlowNode;
export type WireEdge = Edge<WireData, 'wire'>;

/** Handles a join offers: one per input, and one more for the next branch. */
export function slotsOf(layer: GraphNode, joins: boolean): number {
  return joins ? layer.inputs.length + 1 : 1;
}

export function joinTypes(catalogue: Catalogue): Set<string> {
  const layers = catalogue.families.flatMap(family => family.layers);
  return new Set(layers.filter(layer => layer.inputs > 1).map(layer => layer.type));
}

function handles(node: PlacedNode, slots: number, out: boolean): FlowNode['handles'] {
  const size = 8;
  const at = (x: number, y: number) => ({
    x: x - size / 2,
    y: y - size / 2,
    width: size,
    height: size
  });
  return [
    ...Array.from({ length: slots }, (_, slot) => ({
      id: `in${slot}`,
      type: 'target' as const,
      position: Position.Top,
      ...at((node.width * (slot + 1)) / (slots + 1), 0)
    })),
    ...(out
      ? [
          {
            id: 'out',
            type: 'source' as const,
            position: Position.Bottom,
            ...at(node.width / 2, node.height)
          }
        ]
      : [])
  ];
}

export function flowNodes(
  graph: Graph,
  placed: Placed,
  catalogue: Catalogue,
  selected: string | null,
  trouble: string | null = null
): FlowNode[] {
  const joins = joinTypes(catalogue);
  const types = new Map(
    catalogue.families.flatMap(family => family.layers.map(layer => [layer.type, layer] as const))
  );
  const byId = new Map(graph.nodes.map(node => [node.id, node]));
  const tabStop = selected ?? graph.nodes[0]?.id ?? graph.input.id;
  const result: FlowNode[] = [];
  for (const box of placed.nodes.values()) {
    const base = {
      id: box.id,
      position: { x: box.x, y: box.y },
      width: box.width,
      height: box.height,
      measured: { width: box.width, height: box.height }
    };
    const layer = byId.get(box.id);
    const mine = { selected: selected === box.id, focusable: tabStop === box.id };
    if (layer) {
      const slots = slotsOf(layer, joins.has(layer.type));
      result.push({
        ...base,
        type: 'layer',
        handles: handles(box, slots, true),
        data: {
          ...mine,
          layer,
          slots,
          trouble: trouble !== null && (trouble === layer.name || trouble === layer.id),
          brief: brief(types.get(layer.type), layer.args)
        }
      });
    } else {
      const end = box.id === END;
      result.push({
        ...base,
        type: end ? 'tail' : 'source',
        handles: handles(box, end ? 1 : 0, !end),
        connectable: !end,
        data: { ...mine, name: graph.input.name, shape: graph.input.shape }
      });
    }
  }
  return result;
}

export function flowEdges(
  graph: Graph,
  placed: Placed,
  names: (id: string) => string,
  place: Place | null,
  selected: string | null
): WireEdge[] {
  const shapes = new Map(graph.nodes.map(node => [node.id, node.shape]));
  const labelled = new Set<string>();
  return placed.edges.map(wire => {
    const first = !labelled.has(wire.source);
    labelled.add(wire.source);
    const here = onWire(graph, wire.source, wire.target);
    return {
      id: wire.id,
      type: 'wire',
      source: wire.source,
      target: wire.target,
      sourceHandle: 'out',
      targetHandle: `in${wire.slot}`,
      reconnectable: wire.target === END ? false : 'source',
      data: {
        points: wire.points,
        shape: first ? (shapes.get(wire.source) ?? null) : null,
        parting: placed.edges.filter(other => other.source === wire.source).length > 1,
        place: here,
        between:
          wire.target === END
            ? 'at the end'
            : `between ${names(wire.source)} and ${names(wire.target)}`,
        chosen: place !== null && JSON.stringify(place) === JSON.stringify(here),
        focusable: wire.source === selected
      }
    };
  });
}
