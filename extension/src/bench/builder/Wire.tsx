/** A wire: the shape of what flows written beside it, and a + to put a layer on it. */
import { BaseEdge, EdgeLabelRenderer, type EdgeProps } from '@xyflow/react';
import { shape } from '../format';
import { Icon } from '../shell/icons';
import { useDrop } from './drag';
import type { WireEdge } from './flow';
import { firstMiddle, lastMiddle, wirePath } from './path';
import { useBuilder } from './useBuilder';

export function Wire({ id, data, markerEnd }: EdgeProps<WireEdge>) {
  const { act } = useBuilder();
  const place = data?.place ?? { at: 'end' };
  const { over, props } = useDrop(type => act({ do: 'choose', type, place }));
  if (!data) {
    return null;
  }
  const plus = lastMiddle(data.points);
  const label = firstMiddle(data.points);
  const at = (x: number, y: number) => ({ transform: `translate(${x}px, ${y}px)` });
  return (
    <>
      <BaseEdge id={id} path={wirePath(data.points)} markerEnd={markerEnd} interactionWidth={16} />
      <EdgeLabelRenderer>
        {data.shape && (
          <div
            className="wb-wire-shape"
            data-parting={data.parting || undefined}
            style={at(label.x, label.y)}
          >
            <span>{shape(data.shape)}</span>
          </div>
        )}
        {data.between !== 'at the end' && (
          <div className="wb-wire-plus" style={at(plus.x, plus.y)}>
            <button
              type="button"
              className="nodrag nopan"
              data-testid="wb-insert"
              data-between={data.between}
              data-chosen={data.chosen || undefined}
              data-over={over || undefined}
              aria-label={`Insert a layer ${data.between}`}
              title={`Insert a layer ${data.between}`}
              tabIndex={data.focusable ? 0 : -1}
              onClick={() => act({ do: 'place', place: data.place })}
              {...props}
            >
              <Icon name="plus" />
            </button>
          </div>
        )}
      </EdgeLabelRenderer>
    </>
  );
}
