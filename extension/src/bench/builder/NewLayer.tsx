/** The form of a layer about to be added, or to take another's place. */
import { type FormEvent, useEffect, useId, useRef, useState } from 'react';
import type { CommandError } from '../client';
import type { LayerType } from '../protocol';
import { Button, Refusal } from '../shell/parts';
import { argsOf, draftOf } from './args';
import { Fields } from './Fields';
import { fitting } from './fitting';
import { Outcome } from './Outcome';
import { nameOf, placeWords, placing } from './state';
import { useBuilder } from './useBuilder';
import { useCheck } from './useCheck';

export function NewLayer({ type }: { type: LayerType }) {
  const { graph, state, act, apply } = useBuilder();
  const id = useId();
  const form = useRef<HTMLFormElement>(null);
  const [draft, setDraft] = useState(() => draftOf(type));
  const [name, setName] = useState('');
  const [refused, setRefused] = useState<CommandError | null>(null);
  const [busy, setBusy] = useState(false);
  const [fit, setFit] = useState(false);
  const { args, problems } = argsOf(type, draft);
  const ready = Object.keys(problems).length === 0;
  const edit = fitting(placing(state, { type: type.type, args }, name), fit);
  const check = useCheck(ready ? edit : null);
  const verb = state.replacing ? 'Replace' : state.place.at === 'end' ? 'Append' : 'Insert';

  useEffect(() => {
    const first = form.current?.querySelector<HTMLElement>('input, select, button[type=submit]');
    first?.focus({ preventScroll: true });
    if (first instanceof HTMLInputElement && first.type !== 'checkbox') {
      first.select();
    }
  }, []);

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    if (!ready || busy) {
      return;
    }
    setBusy(true);
    const problem = await apply(edit);
    setBusy(false);
    setRefused(problem);
    if (!problem) {
      act({ do: 'select', layer: state.replacing });
    }
  };

  return (
    <form
      ref={form}
      className="wb-form"
      data-testid="wb-new-layer"
      noValidate
      onSubmit={event => void submit(event)}
      onKeyDown={event => {
        if (event.key === 'Escape') {
          event.preventDefault();
          act({ do: 'back' });
        }
      }}
    >
      <div className="wb-panel-head">
        <Button
          icon="back"
          look="quiet"
          label="Back to the palette"
          onClick={() => act({ do: 'back' })}
        />
        <h4>
          {type.type}{' '}
          <span className="wb-muted">
            {state.replacing
              ? `for ${nameOf(graph, state.replacing)}`
              : placeWords(graph, state.place)}
          </span>
        </h4>
      </div>
      <div className="wb-panel-body">
        <p className="wb-doc">{type.doc}</p>
        <Fields type={type} draft={draft} problems={problems} onChange={setDraft} />
        {!state.replacing && (
          <div className="wb-field">
            <label htmlFor={id}>name</label>
            <input
              id={id}
              data-testid="wb-layer-name"
              value={name}
              placeholder="chosen for you"
              maxLength={80}
              autoComplete="off"
              spellCheck={false}
              onChange={event => setName(event.target.value)}
            />
          </div>
        )}
        {type.inputs > 1 && (
          <p className="wb-doc">
            It joins branches: once in place, drag a wire from another layer onto it, or add an
            input in its form.
          </p>
        )}
        {refused ? (
          <Refusal urgent onClose={() => setRefused(null)}>
            {refused.message}
          </Refusal>
        ) : (
          <Outcome check={check} fit={fit} onFit={setFit} />
        )}
        <div className="wb-actions">
          <button
            type="submit"
            className="wb-button wb-button-primary"
            data-testid="wb-apply"
            disabled={!ready || busy || (check.current && check.problem !== null)}
          >
            {verb}
          </button>
        </div>
      </div>
    </form>
  );
}
