/** Which keys the bench keeps to itself, and which it lets pass to the notebook around it. */

export interface Stroke {
  key: string;
  ctrlKey: boolean;
  metaKey: boolean;
  shiftKey: boolean;
  altKey: boolean;
}

export type Shortcut = 'undo' | 'redo' | 'toggle';

const accel = (stroke: Stroke) => stroke.ctrlKey || stroke.metaKey;

/** Does typing go into this element? */
export function isEditable(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || ['INPUT', 'TEXTAREA', 'SELECT'].includes(target.tagName))
  );
}

/** Does the space bar already mean something on this element? */
export function takesSpace(target: EventTarget | null): boolean {
  return (
    isEditable(target) ||
    (target instanceof HTMLElement && target.closest('button, summary, a, [role=tab]') !== null)
  );
}

export function shortcut(stroke: Stroke, target: EventTarget | null): Shortcut | null {
  const key = stroke.key.toLowerCase();
  if (accel(stroke) && !stroke.altKey && !isEditable(target)) {
    if (key === 'z') {
      return stroke.shiftKey ? 'redo' : 'undo';
    }
    if (key === 'y') {
      return 'redo';
    }
  }
  const bare = !accel(stroke) && !stroke.altKey && !stroke.shiftKey;
  return bare && key === ' ' && !takesSpace(target) ? 'toggle' : null;
}

/**
 * Notebook commands hang on plain keys (A inserts a cell, D D deletes it, Enter edits): those stay
 * in the bench. Save, the command palette and the like pass.
 */
export function keep(stroke: Stroke, target: EventTarget | null): boolean {
  if (!accel(stroke)) {
    return stroke.key !== 'F11' && stroke.key !== 'F12' && stroke.key !== 'F5';
  }
  const key = stroke.key.toLowerCase();
  if (key.length > 1) {
    return true;
  }
  const editing = ['a', 'c', 'v', 'x', 'z', 'y'];
  return stroke.shiftKey
    ? key === 'z'
    : isEditable(target)
      ? editing.includes(key)
      : 'zy'.includes(key);
}
