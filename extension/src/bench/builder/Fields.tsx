/** The arguments of a layer as form fields, made from its signature. */
import { useId, useState } from 'react';
import type { Args, LayerType, Param } from '../protocol';
import type { Draft } from './args';
import { same, show, parse } from './args';

interface Props {
  type: LayerType;
  args?: Args;
  draft: Draft;
  problems: Record<string, string>;
  onChange: (draft: Draft) => void;
}

const ROOM = 4;

/** The required ones and the first few stand open; the rest waits behind "More". */
export function sortParams(params: Param[]): { first: Param[]; rest: Param[] } {
  const asked = params.filter(param => !param.inferred);
  if (asked.length <= ROOM + 1) {
    return { first: params, rest: [] };
  }
  const first = new Set(params.filter(param => param.inferred === true || param.required === true));
  const room = ROOM - asked.filter(param => param.required).length;
  asked
    .filter(param => !param.required)
    .slice(0, Math.max(0, room))
    .forEach(param => first.add(param));
  return {
    first: params.filter(param => first.has(param)),
    rest: params.filter(param => !first.has(param))
  };
}

export function Fields({ type, args, draft, problems, onChange }: Props) {
  const { first, rest } = sortParams(type.params);
  const changed = rest.some(param => {
    const parsed = parse(param, draft[param.name] ?? '');
    return 'problem' in parsed || !same(parsed.value, param.default);
  });
  const [open, setOpen] = useState(changed);
  const field = (param: Param) => (
    <Field
      key={param.name}
      param={param}
      known={args?.[param.name]}
      value={draft[param.name] ?? ''}
      problem={problems[param.name]}
      onChange={value => onChange({ ...draft, [param.name]: value })}
    />
  );
  return (
    <div className="wb-fields">
      {first.map(field)}
      {rest.length > 0 && (
        <details open={open} onToggle={event => setOpen(event.currentTarget.open)}>
          <summary>More ({rest.length})</summary>
          {rest.map(field)}
        </details>
      )}
    </div>
  );
}

interface FieldProps {
  param: Param;
  known: Args[string] | undefined;
  value: string | boolean;
  problem: string | undefined;
  onChange: (value: string | boolean) => void;
}

function Field({ param, known, value, problem, onChange }: FieldProps) {
  const id = useId();
  const describe = param.doc ? `${id}-doc` : undefined;
  const common = {
    id,
    name: param.name,
    'data-testid': `wb-arg-${param.name}`,
    'aria-invalid': problem !== undefined,
    'aria-describedby': describe
  };
  const control = () => {
    if (param.inferred) {
      const text = known === undefined ? 'from its input' : String(show(param, known));
      return (
        <output
          id={id}
          className="wb-inferred"
          data-testid={`wb-arg-${param.name}`}
          title="Follows from the incoming shape"
        >
          {text}
        </output>
      );
    }
    if (param.kind === 'bool') {
      return (
        <input
          {...common}
          type="checkbox"
          checked={value === true}
          onChange={event => onChange(event.target.checked)}
        />
      );
    }
    if (param.kind === 'choice') {
      return (
        <select {...common} value={String(value)} onChange={event => onChange(event.target.value)}>
          {param.choices?.map(choice => (
            <option key={String(choice)}>{choice}</option>
          ))}
        </select>
      );
    }
    return (
      <input
        {...common}
        type={param.kind === 'int' ? 'number' : 'text'}
        min={param.min ?? undefined}
        max={param.max ?? undefined}
        inputMode={param.kind === 'text' ? 'text' : 'decimal'}
        autoComplete="off"
        spellCheck={false}
        placeholder={param.nullable ? 'None' : undefined}
        required={param.required}
        value={String(value)}
        onChange={event => onChange(event.target.value)}
      />
    );
  };
  return (
    <div className="wb-field" data-kind={param.kind}>
      <label htmlFor={id} title={param.doc}>
        {param.name}
      </label>
      {control()}
      {param.doc && (
        <span className="wb-hidden" id={describe}>
          {param.doc}
        </span>
      )}
      {problem && (
        <span className="wb-field-problem" role="status">
          {problem}
        </span>
      )}
    </div>
  );
}
