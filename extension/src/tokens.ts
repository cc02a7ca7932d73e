/** What the plugins share: the services other plugins (and other extensions) may ask for. */

import { Token } from '@lumino/coreutils';
import type { IDisposable } from '@lumino/disposable';
import type { ISignal } from '@lumino/signaling';

import type { RunCommand, RunRow } from './runs/protocol';

/** A run as the sidebar shows it: the kernel's row, plus the notebook it lives in. */
export interface LiveRun extends RunRow {
  /** Path of the notebook whose kernel holds the run. */
  readonly path: string;
}

/** The runs alive in the kernels of all open notebooks. */
export interface IRuns extends IDisposable {
  /** All runs, in the order their notebooks were opened. */
  readonly runs: readonly LiveRun[];
  /** Emitted whenever `runs` changed in any way. */
  readonly changed: ISignal<IRuns, void>;
  /** The run of this id, or undefined. */
  find(runId: string): LiveRun | undefined;
  /** Ask the kernel to pause, resume, start or stop a run; false when it is gone. */
  command(runId: string, name: RunCommand): boolean;
}

export const IRuns = new Token<IRuns>(
  'workbench-ml:IRuns',
  'The training runs alive in the kernels of the open notebooks.'
);
