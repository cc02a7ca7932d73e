/** What the builder is about: which layer is selected, where the next one goes, what is replaced. */
import type { Edit, Graph, LayerSpec } from '../protocol';

export type Place =
  | { at: 'end' }
  | { at: 'after' | 'before'; layer: string }
  /** On one wire of several: from `source` to `layer`. */
  | { at: 'between'; source: string; layer: string };

export interface BuilderState {
  selected: string | null;
  place: Place;
  /** The layer to be replaced by the next choice from the palette. */
  replacing: string | null;
  /** The type of layer chosen from the palette. */
  chosen: string | null;
}

export type Action =
  | { do: 'select'; layer: string | null }
  | { do: 'place'; place: Place }
  | { do: 'replace'; layer: string }
  | { do: 'choose'; type: string; place?: Place }
  | { do: 'back' };

export const START: BuilderState = {
  selected: null,
  place: { at: 'end' },
  replacing: null,
  chosen: null
};

export function reduce(state: BuilderState, action: Action): BuilderState {
  switch (action.do) {
    case 'select':
      return { ...START, selected: action.layer };
    case 'place':
      return { ...START, place: action.place };
    case 'replace':
      return { ...START, selected: action.layer, replacing: action.layer };
    case 'choose':
      return { ...state, chosen: action.type, place: action.place ?? state.place };
    case 'back':
      return state.chosen ? { ...state, chosen: null } : { ...START, selected: state.replacing };
  }
}

/** Forgets layers that are gone (removed here, in another view or in a cell). */
export function settle(state: BuilderState, graph: Graph): BuilderState {
  const known = (id: string | null) =>
    id === null || id === graph.input.id || graph.nodes.some(node => node.id === id);
  const place = state.place;
  if (!known(state.selected) || !known(state.replacing)) {
    return START;
  }
  const lost =
    place.at !== 'end' && (!known(place.layer) || (place.at === 'between' && !known(place.source)));
  return lost ? { ...state, place: { at: 'end' } } : state;
}

/** The edit that puts a new layer where the state says. */
export function placing(state: BuilderState, layer: LayerSpec, name: string): Edit {
  const called = name.trim() || null;
  if (state.replacing) {
    return { op: 'replace', layer: state.replacing, with: layer };
  }
  const place = state.place;
  if (place.at === 'end') {
    return { op: 'append', layer, name: called };
  }
  const where =
    place.at === 'between'
      ? { after: place.source, before: place.layer }
      : { [place.at]: place.layer };
  return { op: 'insert', layer, ...where, name: called, seed: null };
}

/** The place on a wire, in the plainest words that mean this wire alone. */
export function onWire(graph: Graph, source: string, target: string): Place {
  const reader = graph.nodes.find(node => node.id === target);
  const readers = graph.nodes.filter(node => node.inputs.includes(source)).length;
  if (!reader) {
    return { at: 'end' };
  }
  if (readers === 1) {
    return { at: 'after', layer: source };
  }
  return reader.inputs.length === 1
    ? { at: 'before', layer: target }
    : { at: 'between', source, layer: target };
}

export function nameOf(graph: Graph, id: string): string {
  return graph.nodes.find(node => node.id === id)?.name ?? (id === graph.input.id ? 'input' : id);
}

/** "at the end", "after conv1", "before fc2", "between a and b". */
export function placeWords(graph: Graph, place: Place): string {
  if (place.at === 'end') {
    return 'at the end';
  }
  const name = nameOf(graph, place.layer);
  return place.at === 'between'
    ? `between ${nameOf(graph, place.source)} and ${name}`
    : `${place.at} ${name}`;
}

/** Would `target` reading `source` close a loop? */
export function makesLoop(graph: Graph, source: string, target: string): boolean {
  const byId = new Map(graph.nodes.map(node => [node.id, node]));
  const seen = new Set<string>();
  const reaches = (id: string): boolean => {
    if (id === target) {
      return true;
    }
    if (seen.has(id)) {
      return false;
    }
    seen.add(id);
    return byId.get(id)?.inputs.some(reaches) ?? false;
  };
  return reaches(source);
}
