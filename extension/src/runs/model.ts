/** All runs of all open notebooks, as one list that says when it changes. */

import type { IDisposable } from '@lumino/disposable';
import { Signal, type ISignal } from '@lumino/signaling';

import type { IRuns, LiveRun } from '../tokens';
import type { RunCommand, RunRow } from './protocol';

/** One kernel's runs; `KernelRuns` is the real one. */
export interface IRunSource extends IDisposable {
  readonly runs: readonly RunRow[];
  readonly changed: ISignal<IRunSource, void>;
  command(runId: string, name: RunCommand): boolean;
}

export class RunsModel implements IRuns {
  get runs(): readonly LiveRun[] {
    const rows: LiveRun[] = [];
    for (const [source, path] of this._sources) {
      rows.push(...source.runs.map(run => ({ ...run, path: path() })));
    }
    return rows;
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Follow a source until it is removed. `path` is asked each time: notebooks get renamed. */
  add(source: IRunSource, path: () => string): void {
    this._sources.set(source, path);
    source.changed.connect(this.emit, this);
    this.emit();
  }

  /** Dispose of a source and its runs. */
  remove(source: IRunSource): void {
    if (this._sources.delete(source)) {
      source.changed.disconnect(this.emit, this);
      source.dispose();
      this.emit();
    }
  }

  find(runId: string): LiveRun | undefined {
    return this.runs.find(run => run.runId === runId);
  }

  command(runId: string, name: RunCommand): boolean {
    for (const source of this._sources.keys()) {
      if (source.runs.some(run => run.runId === runId)) {
        return source.command(runId, name);
      }
    }
    return false;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  dispose(): void {
    if (this._disposed) {
      return;
    }
    this._disposed = true;
    for (const source of this._sources.keys()) {
      source.dispose();
    }
    this._sources.clear();
    Signal.clearData(this);
  }

  private emit(): void {
    this._changed.emit();
  }

  private readonly _sources = new Map<IRunSource, () => string>();
  private readonly _changed = new Signal<this, void>(this);
  private _disposed = false;
}
