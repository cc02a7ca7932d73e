/** Letting the layers that follow be remade, where an edit gives them another shape to read. */
import type { Edit } from '../protocol';

type Adaptable = Extract<Edit, { op: 'insert' | 'remove' | 'replace' | 'rewire' }>;

export function canFit(edit: Edit): edit is Adaptable {
  return ['insert', 'remove', 'replace', 'rewire'].includes(edit.op);
}

/** The same edit, with leave to remake what follows. */
export function fitting(edit: Edit, fit = true): Edit {
  return fit && canFit(edit) ? { ...edit, adapt: true } : edit;
}
