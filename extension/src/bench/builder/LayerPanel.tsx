/** The selected layer: its facts, its arguments, and everything one can do with it. */
import { type FormEvent, useId, useState } from 'react';
import { count, percent, real, shape, short } from '../format';
import type { Edit, GraphNode, LayerType } from '../protocol';
import { Button, Code } from '../shell/parts';
import { RULE, SIGNS, WORDS } from '../store/health';
import { argsOf, draftOf } from './args';
import { Fields } from './Fields';
import { Inputs } from './Inputs';
import { Outcome } from './Outcome';
import { Refused, type RefusedEdit } from './Refused';
import { fitting } from './fitting';
import { useBuilder } from './useBuilder';
import { useCheck } from './useCheck';
import { useHealth } from './useHealth';

export function LayerPanel({ layer, type }: { layer: GraphNode; type: LayerType | undefined }) {
  const { act, apply } = useBuilder();
  const [refused, setRefused] = useState<RefusedEdit | null>(null);
  const make = async (edit: Edit) => {
    const problem = await apply(edit);
    setRefused(problem && { problem, edit });
    return problem === null;
  };
  return (
    <div className="wb-form" data-testid="wb-layer-panel" data-layer-name={layer.name}>
      <div className="wb-panel-head">
        <h4>
          {layer.name} <span className="wb-muted">{layer.type}</span>
        </h4>
        <Button
          icon="close"
          look="quiet"
          label="Close"
          onClick={() => act({ do: 'select', layer: null })}
        />
      </div>
      <div className="wb-panel-body">
        <Facts layer={layer} />
        {refused && <Refused {...refused} onClose={() => setRefused(null)} />}
        {layer.configurable && type ? (
          type.params.length > 0 && (
            <Configure key={JSON.stringify(layer.args)} layer={layer} type={type} make={make} />
          )
        ) : (
          <Code>{layer.repr}</Code>
        )}
        <Rename key={layer.name} layer={layer} make={make} />
        <Inputs key={layer.inputs.join()} layer={layer} joins={(type?.inputs ?? 1) > 1} />
        <div className="wb-actions wb-actions-grid">
          <Button
            icon="below"
            label="Insert after"
            labelled
            data-testid="wb-insert-after"
            onClick={() => act({ do: 'place', place: { at: 'after', layer: layer.id } })}
          />
          <Button
            icon="swap"
            label="Replace…"
            labelled
            data-testid="wb-replace"
            onClick={() => act({ do: 'replace', layer: layer.id })}
          />
          <Button
            icon="snow"
            label={layer.frozen ? 'Unfreeze' : 'Freeze'}
            labelled
            disabled={layer.parameters === 0}
            data-testid="wb-freeze"
            onClick={() => void make({ op: 'freeze', layer: layer.id, frozen: !layer.frozen })}
          />
          <Button
            icon="trash"
            label="Remove"
            labelled
            look="danger"
            data-testid="wb-remove"
            onClick={() => void make({ op: 'remove', layer: layer.id })}
          />
        </div>
      </div>
    </div>
  );
}

function Facts({ layer }: { layer: GraphNode }) {
  const health = useHealth().get(layer.id);
  return (
    <dl className="wb-facts-list">
      <div>
        <dt>output</dt>
        <dd>{shape(layer.shape)}</dd>
      </div>
      <div>
        <dt>parameters</dt>
        <dd>{count(layer.parameters)}</dd>
      </div>
      <div>
        <dt>FLOPs</dt>
        <dd>{short(layer.flops)}</dd>
      </div>
      {health && (
        <>
          <div>
            <dt>gradient norm</dt>
            <dd>{real(health.norm)}</dd>
          </div>
          <div>
            <dt>update ratio</dt>
            <dd>
              {health.ratio !== null && health.ratio < 1e-3
                ? real(health.ratio)
                : percent(health.ratio, 2)}
            </dd>
          </div>
          <div title={`${health.why} ${RULE}`}>
            <dt>health</dt>
            <dd>
              {SIGNS[health.verdict]} {WORDS[health.verdict]}
            </dd>
          </div>
        </>
      )}
    </dl>
  );
}

interface EditProps {
  layer: GraphNode;
  make: (edit: Edit) => Promise<boolean>;
}

function Configure({ layer, type, make }: EditProps & { type: LayerType }) {
  const [start] = useState(() => draftOf(type, layer.args));
  const [draft, setDraft] = useState(start);
  const { args, problems } = argsOf(type, draft);
  const changed = JSON.stringify(draft) !== JSON.stringify(start);
  const ready = changed && Object.keys(problems).length === 0;
  const [fit, setFit] = useState(false);
  const edit = fitting({ op: 'replace', layer: layer.id, with: { type: layer.type, args } }, fit);
  const check = useCheck(ready ? edit : null);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (ready) {
      void make(edit);
    }
  };
  return (
    <form noValidate onSubmit={submit} data-testid="wb-configure">
      <Fields type={type} args={layer.args} draft={draft} problems={problems} onChange={setDraft} />
      {changed && (
        <>
          <Outcome check={check} fit={fit} onFit={setFit} />
          <div className="wb-actions">
            <button
              type="submit"
              className="wb-button wb-button-primary"
              data-testid="wb-apply"
              disabled={!ready || (check.current && check.problem !== null)}
            >
              Configure
            </button>
            <Button label="Reset" onClick={() => setDraft(start)} />
          </div>
        </>
      )}
    </form>
  );
}

function Rename({ layer, make }: EditProps) {
  const id = useId();
  const [name, setName] = useState(layer.name);
  const wanted = name.trim();
  const changed = wanted !== layer.name && wanted !== '';
  const edit: Edit = { op: 'rename', layer: layer.id, name: wanted };
  const check = useCheck(changed ? edit : null);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (changed) {
      void make(edit);
    }
  };
  return (
    <form className="wb-rename" noValidate onSubmit={submit}>
      <div className="wb-field">
        <label htmlFor={id}>name</label>
        <input
          id={id}
          data-testid="wb-rename"
          value={name}
          maxLength={80}
          autoComplete="off"
          spellCheck={false}
          onChange={event => setName(event.target.value)}
        />
      </div>
      {changed && (
        <>
          <Outcome check={check} fit={false} onFit={() => undefined} />
          <div className="wb-actions">
            <button
              type="submit"
              className="wb-button wb-button-primary"
              data-testid="wb-rename-apply"
            >
              Rename
            </button>
          </div>
        </>
      )}
    </form>
  );
}
