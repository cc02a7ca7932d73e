/** What a tab is opened with: which bench, and where. */

import type { DockLayout } from '@lumino/widgets';

import type { IRuns } from '../tokens';

/** What a tab shows: a widget model in the kernel of a notebook. */
export interface Target {
  readonly path: string;
  readonly modelId: string;
  readonly name: string;
}

/** The bench that a command's arguments mean: a run by its id, or a model by path and id. */
export function target(args: Record<string, unknown>, runs: Pick<IRuns, 'find'>): Target | null {
  const { runId, path, modelId, name } = args;
  if (typeof runId === 'string') {
    const run = runs.find(runId);
    return run?.modelId == null ? null : { path: run.path, modelId: run.modelId, name: run.name };
  }
  if (typeof path === 'string' && typeof modelId === 'string') {
    return { path, modelId, name: typeof name === 'string' ? name : path };
  }
  return null;
}

/** Where a setting says that a new tab goes; beside the notebook when it says nothing known. */
export function place(setting: unknown): DockLayout.InsertMode {
  return setting === 'tab-after' || setting === 'split-bottom' ? setting : 'split-right';
}
