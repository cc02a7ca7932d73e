/** The two ends of the picture: what comes in, and where the next layer goes. */
import { Handle, type NodeProps, Position } from '@xyflow/react';
import { shape } from '../format';
import { Icon } from '../shell/icons';
import { useDrop } from './drag';
import type { PillFlowNode } from './flow';
import { useBuilder } from './useBuilder';

export function InputPill({ data }: NodeProps<PillFlowNode>) {
  return (
    <>
      <button
        type="button"
        className="wb-pill"
        data-testid="wb-input"
        aria-pressed={data.selected}
        tabIndex={data.focusable ? 0 : -1}
      >
        input <span className="wb-pill-shape">{shape(data.shape)}</span>
      </button>
      <Handle id="out" type="source" position={Position.Bottom} />
    </>
  );
}

export function EndPill({ data }: NodeProps<PillFlowNode>) {
  const { act } = useBuilder();
  const { over, props } = useDrop(type => act({ do: 'choose', type, place: { at: 'end' } }));
  return (
    <>
      <Handle id="in0" type="target" position={Position.Top} isConnectable={false} />
      <button
        type="button"
        className="wb-pill wb-pill-end"
        data-testid="wb-append"
        data-over={over || undefined}
        tabIndex={data.focusable ? 0 : -1}
        {...props}
      >
        <Icon name="plus" /> Add layer
      </button>
    </>
  );
}
