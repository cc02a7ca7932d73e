/** Where a layer reads from, to be changed without a mouse: one choice per input. */
import { useId, useState } from 'react';
import type { CommandError } from '../client';
import { shape } from '../format';
import type { GraphNode } from '../protocol';
import { Button, Refusal } from '../shell/parts';
import { fitting } from './fitting';
import { Outcome } from './Outcome';
import { makesLoop } from './state';
import { useBuilder } from './useBuilder';
import { useCheck } from './useCheck';

export function Inputs({ layer, joins }: { layer: GraphNode; joins: boolean }) {
  const { graph, apply } = useBuilder();
  const id = useId();
  const [inputs, setInputs] = useState(layer.inputs);
  const [refused, setRefused] = useState<CommandError | null>(null);
  const changed = inputs.join() !== layer.inputs.join();
  const [fit, setFit] = useState(false);
  const edit = fitting({ op: 'rewire', layer: layer.id, inputs }, fit);
  const check = useCheck(changed ? edit : null);
  const sources = [
    { id: graph.input.id, name: 'input', shape: graph.input.shape },
    ...graph.nodes.filter(node => !makesLoop(graph, node.id, layer.id))
  ];
  const last = sources.at(-1)?.id ?? graph.input.id;
  return (
    <details className="wb-inputs" open={joins || undefined}>
      <summary>Reads from</summary>
      {inputs.map((source, slot) => (
        <div className="wb-field" key={slot}>
          <label htmlFor={`${id}-${slot}`}>
            {inputs.length > 1 ? `input ${slot + 1}` : 'input'}
          </label>
          <span className="wb-field-row">
            <select
              id={`${id}-${slot}`}
              data-testid={`wb-input-${slot}`}
              value={source}
              onChange={event =>
                setInputs(inputs.map((old, i) => (i === slot ? event.target.value : old)))
              }
            >
              {sources.map(node => (
                <option key={node.id} value={node.id}>
                  {node.name} ({shape(node.shape)})
                </option>
              ))}
            </select>
            {joins && inputs.length > 1 && (
              <Button
                icon="close"
                look="quiet"
                label={`Drop input ${slot + 1}`}
                onClick={() => setInputs(inputs.filter((_, i) => i !== slot))}
              />
            )}
          </span>
        </div>
      ))}
      {refused && <Refusal urgent>{refused.message}</Refusal>}
      {changed && <Outcome check={check} fit={fit} onFit={setFit} />}
      <div className="wb-actions">
        {changed && (
          <>
            <Button
              label="Rewire"
              look="primary"
              data-testid="wb-rewire"
              disabled={check.current && check.problem !== null}
              onClick={() => void apply(edit).then(setRefused)}
            />
            <Button label="Reset" onClick={() => setInputs(layer.inputs)} />
          </>
        )}
        {joins && (
          <Button
            icon="wire"
            label="Add input"
            labelled
            data-testid="wb-add-input"
            onClick={() => setInputs([...inputs, last])}
          />
        )}
      </div>
    </details>
  );
}
