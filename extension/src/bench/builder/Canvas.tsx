/** The picture of the network: layout, selection, keys, rewiring by dragging a handle. */
import { type Connection, MarkerType, ReactFlow, useReactFlow } from '@xyflow/react';
import { type KeyboardEvent, useCallback, useEffect, useMemo, useRef } from 'react';
import { useCatalogue, useSession, useSize } from '../hooks';
import { Button } from '../shell/parts';
import { EndPill, InputPill } from './Pills';
import { flowEdges, flowNodes, type FlowNode, type WireEdge } from './flow';
import { frame, visible } from './frame';
import { HealthContext } from './HealthContext';
import { LayerNode } from './LayerNode';
import { END, layout } from './layout';
import { type Direction, neighbour } from './navigate';
import { makesLoop, nameOf } from './state';
import { useBuilder } from './useBuilder';
import { ask } from './useCheck';
import { useHealth } from './useHealth';
import { Wire } from './Wire';

const NODE_TYPES = { layer: LayerNode, source: InputPill, tail: EndPill };
const EDGE_TYPES = { wire: Wire };
const EDGE_DEFAULTS = { markerEnd: { type: MarkerType.Arrow, width: 14, height: 14 } };

const calm = () =>
  typeof matchMedia === 'function' && matchMedia('(prefers-reduced-motion: reduce)').matches;

export function Canvas() {
  const session = useSession();
  const { graph, state, act, apply, refused, refuse } = useBuilder();
  const catalogue = useCatalogue();
  const health = useHealth();
  const flow = useReactFlow<FlowNode, WireEdge>();
  const box = useRef<HTMLDivElement>(null);
  const size = useSize(box);
  const moved = useRef(false);

  const placed = useMemo(() => layout(graph), [graph]);
  const nodes = useMemo(
    () => flowNodes(graph, placed, catalogue, state.selected, refused?.problem.layer ?? null),
    [graph, placed, catalogue, state.selected, refused]
  );
  const adding = state.selected === null || state.chosen !== null ? state.place : null;
  const edges = useMemo(
    () => flowEdges(graph, placed, id => nameOf(graph, id), adding, state.selected),
    [graph, placed, adding, state.selected]
  );

  const show = useCallback(
    (focus: string | null, always: boolean) => {
      const target = focus ? (placed.nodes.get(focus) ?? null) : null;
      if (size.width < 10 || (!always && target && visible(target, flow.getViewport(), size))) {
        return;
      }
      void flow.setViewport(frame(placed, size, target), { duration: calm() ? 0 : 220 });
    },
    [flow, placed, size]
  );

  useEffect(() => {
    if (!moved.current) {
      show(state.selected, true);
    }
    // Selecting a layer must not move the picture; a new layout or size may.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [show]);

  const focus = (id: string) => {
    show(id, false);
    const buttons = box.current?.querySelectorAll<HTMLElement>('.react-flow__node');
    const node = [...(buttons ?? [])].find(element => element.dataset.id === id);
    node?.querySelector('button')?.focus({ preventScroll: true });
  };

  const open = (id: string) =>
    act(id === END ? { do: 'place', place: { at: 'end' } } : { do: 'select', layer: id });

  const onKeyDown = (event: KeyboardEvent) => {
    const node = (event.target as HTMLElement).closest<HTMLElement>('.react-flow__node');
    const id = node?.dataset.id;
    if (id === undefined || event.ctrlKey || event.metaKey || event.altKey) {
      return;
    }
    if (event.key.startsWith('Arrow')) {
      event.preventDefault();
      const next = neighbour(placed, id, event.key as Direction);
      if (next) {
        if (next !== END) {
          act({ do: 'select', layer: next });
        }
        focus(next);
      }
    } else if (event.key === 'Delete' || event.key === 'Backspace') {
      event.preventDefault();
      if (id !== END && id !== graph.input.id) {
        const next = neighbour(placed, id, 'ArrowUp') ?? graph.input.id;
        const edit = { op: 'remove' as const, layer: id };
        void apply(edit).then(problem => {
          refuse(problem && { problem, edit });
          if (!problem) {
            act({ do: 'select', layer: next });
            requestAnimationFrame(() => focus(next));
          }
        });
      }
    } else if (event.key === 'Insert' || event.key === '+') {
      event.preventDefault();
      act({ do: 'place', place: id === END ? { at: 'end' } : { at: 'after', layer: id } });
    } else if (event.key === 'Escape') {
      act({ do: 'select', layer: null });
    }
  };

  const rewire = async ({ source, target, targetHandle }: Connection) => {
    const layer = graph.nodes.find(node => node.id === target);
    const slot = Number(targetHandle?.slice(2) ?? 0);
    if (!layer || layer.inputs[slot] === source) {
      return;
    }
    const inputs = [...layer.inputs];
    inputs[slot] = source;
    const edit = { op: 'rewire' as const, layer: target, inputs };
    const { problem } = await ask(session.client, edit);
    const found = problem ?? (await apply(edit));
    refuse(found && { problem: found, edit });
  };

  return (
    <div className="wb-canvas" ref={box} onKeyDown={onKeyDown} data-testid="wb-canvas">
      <HealthContext.Provider value={health}>
        <ReactFlow
          nodes={nodes}
          edges={edges}
          nodeTypes={NODE_TYPES}
          edgeTypes={EDGE_TYPES}
          defaultEdgeOptions={EDGE_DEFAULTS}
          onNodeClick={(_, node) => open(node.id)}
          onPaneClick={() => act({ do: 'select', layer: null })}
          onMoveStart={event => {
            moved.current ||= event !== null;
          }}
          onConnect={connection => void rewire(connection)}
          onReconnect={(_, connection) => void rewire(connection)}
          isValidConnection={({ source, target }) => !makesLoop(graph, source, target)}
          connectionRadius={26}
          nodesDraggable={false}
          nodesFocusable={false}
          edgesFocusable={false}
          elementsSelectable={false}
          disableKeyboardA11y
          deleteKeyCode={null}
          selectionKeyCode={null}
          multiSelectionKeyCode={null}
          panActivationKeyCode={null}
          zoomOnScroll={false}
          zoomOnDoubleClick={false}
          preventScrolling={false}
          minZoom={0.2}
          maxZoom={1.6}
        />
      </HealthContext.Provider>
      <div className="wb-zoom" role="group" aria-label="Zoom">
        <Button icon="plus" look="quiet" label="Zoom in" onClick={() => void flow.zoomIn()} />
        <Button icon="minus" look="quiet" label="Zoom out" onClick={() => void flow.zoomOut()} />
        <Button
          icon="fit"
          look="quiet"
          label="Fit the network"
          onClick={() => {
            moved.current = false;
            show(null, true);
          }}
        />
      </div>
    </div>
  );
}
