/** A layer on the picture: name, type, arguments, parameters, frozen, and how its gradient is. */
import { Handle, type NodeProps, Position } from '@xyflow/react';
import { memo, useContext, useEffect, useRef } from 'react';
import { count, shape, short } from '../format';
import { useSession } from '../hooks';
import { SIGNS, WORDS } from '../store/health';
import { FamilySign, Icon } from '../shell/icons';
import { HealthContext } from './HealthContext';
import type { LayerFlowNode } from './flow';
import { nodeLabel } from './words';

export const LayerNode = memo(function LayerNode({ id, data }: NodeProps<LayerFlowNode>) {
  const { layer, brief, selected, focusable, slots, trouble } = data;
  const health = useContext(HealthContext).get(id);
  const verdict = health?.verdict ?? 'unknown';
  const ill = verdict === 'vanishing' || verdict === 'exploding' || verdict === 'none';
  return (
    <>
      {Array.from({ length: slots }, (_, slot) => (
        <Handle
          key={slot}
          id={`in${slot}`}
          type="target"
          position={Position.Top}
          style={{ left: `${(100 * (slot + 1)) / (slots + 1)}%` }}
        />
      ))}
      <button
        type="button"
        className="wb-node"
        data-testid="wb-node"
        data-layer-id={id}
        data-layer-name={layer.name}
        data-layer-type={layer.type}
        data-tall={layer.parameters > 0 || undefined}
        data-frozen={layer.frozen || undefined}
        data-unused={layer.live === false || undefined}
        data-trouble={trouble || undefined}
        data-health={verdict}
        aria-pressed={selected}
        aria-label={nodeLabel(layer, health ? WORDS[verdict] : '')}
        tabIndex={focusable ? 0 : -1}
        title={`${layer.repr}\noutput ${shape(layer.shape)}${health ? `\n${health.why}` : ''}`}
      >
        <FamilySign family={layer.family} />
        <span className="wb-node-name">{layer.name}</span>
        {layer.parameters === 0 ? (
          <span className="wb-node-type">{`${layer.type} ${brief}`}</span>
        ) : (
          <>
            <span className="wb-node-count" title={`${count(layer.parameters)} parameters`}>
              {layer.frozen && <Icon name="snow" />}
              {short(layer.parameters)}
            </span>
            <span className="wb-node-args">{`${layer.type} ${brief}`}</span>
          </>
        )}
        {ill && (
          <span className="wb-node-ill" data-verdict={verdict}>
            {SIGNS[verdict]} {WORDS[verdict]}
          </span>
        )}
        {layer.parameters > 0 && !layer.frozen && <Pulse id={id} />}
      </button>
      <Handle id="out" type="source" position={Position.Bottom} />
    </>
  );
});

/** A hairline as long as the logarithm of the layer's gradient norm: 10⁻⁸ nothing, 10² full. */
function Pulse({ id }: { id: string }) {
  const { store } = useSession();
  const line = useRef<HTMLSpanElement>(null);
  useEffect(() => {
    const draw = () => {
      const norm = store.series.get(`grad_norm:${id}`)?.last;
      if (line.current && norm != null) {
        const part = Number.isFinite(norm) ? (Math.log10(Math.max(norm, 1e-8)) + 8) / 10 : 1;
        line.current.style.transform = `scaleX(${Math.min(1, Math.max(0, part)).toFixed(3)})`;
      }
    };
    draw();
    return store.subscribe('series', draw);
  }, [store, id]);
  return <span ref={line} className="wb-node-pulse" aria-hidden="true" />;
}
