/** The ids of all commands, and the shape of their arguments. */

import type { ReadonlyJSONObject } from '@lumino/coreutils';

export const CommandIDs = {
  /** Open a copy of the start notebook; args: cwd. */
  create: 'workbench:new',
  /** Show the sidebar with the runs. */
  showRuns: 'workbench:show-runs',
  /** Open the bench of a run in a tab of the main area; args: runId, or path and modelId. */
  openBench: 'workbench:open-bench',
  start: 'workbench:start-run',
  pause: 'workbench:pause-run',
  resume: 'workbench:resume-run',
  stop: 'workbench:stop-run'
} as const;

const ARGUMENTS: Record<string, ReadonlyJSONObject> = {
  cwd: { type: 'string', description: 'Folder of the new notebook' },
  isPalette: { type: 'boolean', description: 'Whether the label stands in the command palette' },
  runId: { type: 'string', description: 'Id of the run' },
  path: { type: 'string', description: 'Path of the notebook whose kernel holds the bench' },
  modelId: { type: 'string', description: 'Model id of the bench widget' },
  name: { type: 'string', description: 'Name of the run, for the title of the tab' }
};

/** A JSON schema of these arguments, none of them required. */
export function argsSchema(...names: string[]): ReadonlyJSONObject {
  return {
    type: 'object',
    properties: Object.fromEntries(names.map(name => [name, ARGUMENTS[name] ?? {}]))
  };
}
