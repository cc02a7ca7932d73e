/** Between what is typed in a form and the arguments of a layer. */
import type { Args, ArgValue, LayerType, Param } from '../protocol';

/** What the fields hold: text for all but switches. */
export type Draft = Record<string, string | boolean>;

export type Parsed = { value: ArgValue } | { problem: string };

/** The text a field shows for a value; empty means None. */
export function show(param: Param, value: ArgValue | undefined): string | boolean {
  if (param.kind === 'bool') {
    return value === true;
  }
  if (value == null) {
    return '';
  }
  if (Array.isArray(value)) {
    return value.join(', ');
  }
  return typeof value === 'number' && value !== 0 && Math.abs(value) < 1e-3
    ? value.toExponential().replace('e+', 'e')
    : String(value);
}

/** A form for a layer: its present arguments, else the defaults. */
export function draftOf(type: LayerType, args: Args = {}): Draft {
  return Object.fromEntries(
    type.params.map(param => [
      param.name,
      show(param, param.name in args ? args[param.name] : param.default)
    ])
  );
}

export function parse(param: Param, input: string | boolean): Parsed {
  if (typeof input === 'boolean') {
    return { value: input };
  }
  const text = input.trim();
  if (text === '') {
    const optional = param.nullable ?? param.default == null;
    return optional && !(param.required && !param.nullable)
      ? { value: null }
      : { problem: `${param.name} is needed` };
  }
  switch (param.kind) {
    case 'int':
      return bounded(param, whole(text), 'a whole number');
    case 'float':
      return bounded(param, Number(text.replace('\u2212', '-')), 'a number');
    case 'ints':
      return ints(param, text);
    case 'choice': {
      const match = param.choices?.find(choice => String(choice) === text);
      return match === undefined
        ? { problem: `${param.name} must be one of ${param.choices?.join(', ') ?? ''}` }
        : { value: match };
    }
    case 'bool':
      return { value: text === 'true' };
    case 'text':
      return { value: text };
  }
}

const whole = (text: string) => (/^[-+]?\d+$/.test(text) ? Number(text) : NaN);

function bounded(param: Param, value: number, what: string): Parsed {
  if (!Number.isFinite(value)) {
    return { problem: `${param.name} must be ${what}` };
  }
  if (param.min != null && value < param.min) {
    return { problem: `${param.name} must be at least ${param.min}` };
  }
  if (param.max != null && value > param.max) {
    return { problem: `${param.name} must be at most ${param.max}` };
  }
  return { value };
}

/** `3`, `3, 5`, `(3, 5)` or `3x5`; some of these parameters also take a word, as padding='same'. */
function ints(param: Param, text: string): Parsed {
  const inside = text.replace(/^[([]|[)\]]$/g, '');
  const values = inside.split(/[\s,x×]+/).filter(Boolean);
  if (
    /^[a-z]+$/i.test(inside) &&
    (param.choices?.includes(inside) ?? typeof param.default === 'string')
  ) {
    return { value: inside };
  }
  const numbers: number[] = [];
  for (const value of values) {
    const parsed = bounded(param, whole(value), 'a whole number or several, as 3 or 3, 5');
    if ('problem' in parsed) {
      return parsed;
    }
    numbers.push(parsed.value as number);
  }
  return { value: numbers.length === 1 ? (numbers[0] ?? null) : numbers };
}

export const same = (a: ArgValue | undefined, b: ArgValue | undefined) =>
  JSON.stringify(a ?? null) === JSON.stringify(b ?? null);

/**
 * The arguments to send: what is required or differs from the default. Inferred ones are left to
 * the network, which reads them off the incoming shape.
 */
export function argsOf(
  type: LayerType,
  draft: Draft
): { args: Args; problems: Record<string, string> } {
  const args: Args = {};
  const problems: Record<string, string> = {};
  for (const param of type.params) {
    if (param.inferred) {
      continue;
    }
    const parsed = parse(param, draft[param.name] ?? '');
    if ('problem' in parsed) {
      problems[param.name] = parsed.problem;
    } else if (param.required || !same(parsed.value, param.default)) {
      args[param.name] = parsed.value;
    }
  }
  return { args, problems };
}

/** A layer's arguments in a few characters for its box: 16, 3×3, p 0.5. */
export function brief(type: LayerType | undefined, args: Args): string {
  const words: string[] = [];
  for (const [name, value] of Object.entries(args)) {
    const param = type?.params.find(p => p.name === name);
    if (
      value == null ||
      param?.inferred ||
      (param && !param.required && same(value, param.default))
    ) {
      continue;
    }
    const text = Array.isArray(value) ? value.join('×') : String(value);
    if (param?.kind === 'bool') {
      words.push(value ? name : `no ${name}`);
    } else if (name === 'kernel_size' && type?.type.includes('2d') && !Array.isArray(value)) {
      words.push(`${text}×${text}`);
    } else {
      words.push(param?.required ? text : `${name} ${text}`);
    }
  }
  return words.join(', ');
}
