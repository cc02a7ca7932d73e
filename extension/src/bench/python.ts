/** The Python line that does the same as a click: literals and the run's commands. */
import { plain } from './format';
import type { ArgValue, CommandName } from './protocol';

const ESCAPES: Record<string, string> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** A Python string literal, quoted as `repr` does. */
export function quote(text: string): string {
  const mark = text.includes("'") && !text.includes('"') ? '"' : "'";
  const body = text.replace(/[\\\n\r\t]/g, c => ESCAPES[c] ?? c);
  return mark + (mark === "'" ? body.replace(/'/g, "\\'") : body) + mark;
}

export function literal(value: ArgValue): string {
  if (value === null) {
    return 'None';
  }
  if (Array.isArray(value)) {
    return value.length === 1 ? `(${value[0] ?? ''},)` : `(${value.join(', ')})`;
  }
  switch (typeof value) {
    case 'boolean':
      return value ? 'True' : 'False';
    case 'number':
      return plain(value);
    default:
      return quote(value);
  }
}

/** The public call behind a run command, or null when the reply itself carries the line (edits). */
export function runLine(name: CommandName, args: Record<string, unknown> = {}): string | null {
  switch (name) {
    case 'start':
    case 'pause':
    case 'resume':
    case 'stop':
    case 'step':
    case 'undo':
    case 'redo':
      return `run.${name}()`;
    case 'set_lr':
      return `run.set_lr(${plain(Number(args.lr))})`;
    case 'set_batch_size':
      return `run.set_batch_size(${plain(Number(args.batch_size))})`;
    case 'script':
      return 'print(run.script())';
    case 'code':
      return 'print(run.network.code())';
    default:
      return null;
  }
}
