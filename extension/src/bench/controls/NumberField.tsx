/** A number one can type or walk with the arrows; sent on Enter, on leaving, and by its buttons. */
import { type KeyboardEvent, useId, useState } from 'react';
import { plain } from '../format';
import { Button } from '../shell/parts';

interface Props {
  label: string;
  value: number;
  parse: (text: string) => number | null;
  nudge: (value: number, up: boolean) => number;
  problem: string;
  send: (value: number) => Promise<boolean>;
  testid: string;
}

export function NumberField({ label, value, parse, nudge, problem, send, testid }: Props) {
  const id = useId();
  const [draft, setDraft] = useState<string | null>(null);
  const parsed = draft === null ? value : parse(draft);
  const wrong = parsed === null;

  const commit = async (next: number | null) => {
    if (next === null) {
      return;
    }
    // The typed text stays until the kernel's own value has come back, so nothing jumps.
    if (next !== value) {
      await send(next);
    }
    setDraft(null);
  };
  const walk = (up: boolean) => {
    const next = nudge(parsed ?? value, up);
    setDraft(plain(next));
    void commit(next);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'Enter') {
      void commit(parsed);
    } else if (event.key === 'Escape') {
      setDraft(null);
    } else if (event.key === 'ArrowUp' || event.key === 'ArrowDown') {
      event.preventDefault();
      walk(event.key === 'ArrowUp');
    }
  };

  const leave = () => {
    if (wrong) {
      setDraft(null);
    } else if (draft !== null) {
      void commit(parsed);
    }
  };

  return (
    <div className="wb-number" data-wrong={wrong || undefined}>
      <label htmlFor={id}>{label}</label>
      <div className="wb-number-box">
        <Button
          icon="minus"
          look="quiet"
          label={`Lower ${label.toLowerCase()}`}
          tabIndex={-1}
          onClick={() => walk(false)}
        />
        <input
          id={id}
          data-testid={testid}
          inputMode="decimal"
          autoComplete="off"
          spellCheck={false}
          value={draft ?? plain(value)}
          aria-invalid={wrong}
          aria-describedby={wrong ? `${id}-problem` : undefined}
          onChange={event => setDraft(event.target.value)}
          onKeyDown={onKeyDown}
          onBlur={leave}
        />
        <Button
          icon="plus"
          look="quiet"
          label={`Raise ${label.toLowerCase()}`}
          tabIndex={-1}
          onClick={() => walk(true)}
        />
      </div>
      {wrong && (
        <span className="wb-number-problem" id={`${id}-problem`} role="alert">
          {problem}
        </span>
      )}
    </div>
  );
}
