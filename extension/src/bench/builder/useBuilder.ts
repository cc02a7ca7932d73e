/** The builder's state and the edits it can send; each edit answers with why it was refused, or null. */
import { createContext, type Dispatch, useContext } from 'react';
import type { CommandError } from '../client';
import type { Edit, Graph } from '../protocol';
import type { RefusedEdit } from './Refused';
import type { Action, BuilderState } from './state';

export interface BuilderTools {
  graph: Graph;
  state: BuilderState;
  act: Dispatch<Action>;
  /** Why the latest thing done on the picture was refused. */
  refused: RefusedEdit | null;
  apply: (edit: Edit) => Promise<CommandError | null>;
  /** Says why something done on the picture of the network was refused. */
  refuse: (refused: RefusedEdit | null) => void;
}

export const BuilderContext = createContext<BuilderTools | null>(null);

export function useBuilder(): BuilderTools {
  const tools = useContext(BuilderContext);
  if (!tools) {
    throw new Error('This component must stand inside a Builder.');
  }
  return tools;
}
