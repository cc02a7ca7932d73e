/** The network as a picture, and beside it the palette or the form of the selected layer. */
import { ReactFlowProvider } from '@xyflow/react';
import { useCallback, useMemo, useReducer, useState } from 'react';
import { count } from '../format';
import { useGraph, useHistory, useSession } from '../hooks';
import type { Edit } from '../protocol';
import { Button, Hidden } from '../shell/parts';
import { Canvas } from './Canvas';
import { Inspector } from './Inspector';
import { Refused, type RefusedEdit } from './Refused';
import { reduce, settle, START } from './state';
import { BuilderContext } from './useBuilder';
import { describe } from './words';

export function Builder() {
  const session = useSession();
  const graph = useGraph();
  const history = useHistory();
  const [raw, act] = useReducer(reduce, START);
  const [refused, refuse] = useState<RefusedEdit | null>(null);
  const state = useMemo(() => settle(raw, graph), [raw, graph]);
  const apply = useCallback(
    async (edit: Edit) => {
      const problem = await session.edit(edit);
      if (!problem) {
        refuse(null);
      }
      return problem;
    },
    [session]
  );
  const tools = useMemo(
    () => ({ graph, state, act, apply, refused, refuse }),
    [graph, state, act, apply, refused, refuse]
  );
  const parameters = graph.nodes.reduce((sum, node) => sum + node.parameters, 0);

  return (
    <BuilderContext.Provider value={tools}>
      <section className="wb-builder" aria-label="Network">
        <div className="wb-stage">
          <div className="wb-stage-head">
            <h3>Network</h3>
            <span className="wb-muted" data-testid="wb-parameters">
              {count(parameters)} parameters
            </span>
            <div className="wb-stage-tools">
              <Button
                icon="undo"
                look="quiet"
                label="Undo"
                title="Undo the latest edit (Ctrl+Z)"
                aria-keyshortcuts="Control+Z Meta+Z"
                data-testid="wb-undo"
                disabled={!history.can_undo}
                onClick={() => void session.run('undo')}
              />
              <Button
                icon="redo"
                look="quiet"
                label="Redo"
                title="Redo (Ctrl+Shift+Z)"
                aria-keyshortcuts="Control+Shift+Z Meta+Shift+Z"
                data-testid="wb-redo"
                disabled={!history.can_redo}
                onClick={() => void session.run('redo')}
              />
            </div>
          </div>
          <Hidden>{describe(graph)}</Hidden>
          <ReactFlowProvider>
            <Canvas />
          </ReactFlowProvider>
          {refused && (
            <div className="wb-stage-problem">
              <Refused {...refused} onClose={() => refuse(null)} />
            </div>
          )}
        </div>
        <Inspector />
      </section>
    </BuilderContext.Provider>
  );
}
