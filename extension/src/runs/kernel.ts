/** The runs of one notebook's kernel: finds the comm, listens, and survives restarts. */

import type { ISessionContext } from '@jupyterlab/apputils';
import type { Kernel } from '@jupyterlab/services';
import type { IDisposable } from '@lumino/disposable';
import { Signal, type ISignal } from '@lumino/signaling';

import { command, hello, readRuns, RUNS_TARGET, type RunCommand, type RunRow } from './protocol';

/** The part of a notebook's session that is needed here. */
export type KernelSession = Pick<
  ISessionContext,
  'session' | 'kernelChanged' | 'statusChanged' | 'connectionStatusChanged'
>;

export class KernelRuns implements IDisposable {
  constructor(session: KernelSession) {
    session.kernelChanged.connect(this.onKernel, this);
    session.statusChanged.connect(this.onStatus, this);
    session.connectionStatusChanged.connect(this.onConnection, this);
    this.attach(session.session?.kernel ?? null);
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get runs(): readonly RunRow[] {
    return this._runs;
  }

  /** Send a command about a run; false when no kernel listens. */
  command(runId: string, name: RunCommand): boolean {
    if (this._comm === null || !this._runs.some(run => run.runId === runId)) {
      return false;
    }
    this._comm.send(command(runId, name));
    return true;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  dispose(): void {
    if (this._disposed) {
      return;
    }
    this._disposed = true;
    this.detach();
    Signal.clearData(this);
  }

  private onKernel(_: unknown, change: { newValue: Kernel.IKernelConnection | null }): void {
    this.detach();
    this.attach(change.newValue);
  }

  private onStatus(_: unknown, status: Kernel.Status): void {
    // A restart ends every comm without a word; the new process opens its own when it has runs.
    if (status === 'restarting' || status === 'autorestarting' || status === 'dead') {
      this._comm = null;
      this.show([]);
    }
  }

  private onConnection(_: unknown, status: Kernel.ConnectionStatus): void {
    if (status === 'connected' && this._kernel !== null) {
      void this.find(this._kernel);
    }
  }

  private attach(kernel: Kernel.IKernelConnection | null): void {
    // A second connection to the same kernel (two notebooks on one) gets no comms; the first shows them.
    if (kernel?.handleComms !== true) {
      return;
    }
    this._kernel = kernel;
    kernel.registerCommTarget(RUNS_TARGET, this.onOpen);
    if (kernel.connectionStatus === 'connected') {
      void this.find(kernel);
    }
  }

  private detach(): void {
    const kernel = this._kernel;
    this._kernel = null;
    if (kernel !== null && !kernel.isDisposed) {
      kernel.removeCommTarget(RUNS_TARGET, this.onOpen);
    }
    this.forget();
    this.show([]);
  }

  /** Ask a kernel that ran before this page was loaded for its comm, and pick it up. */
  private async find(kernel: Kernel.IKernelConnection): Promise<void> {
    let ids: string[];
    try {
      const reply = await kernel.requestCommInfo({ target_name: RUNS_TARGET });
      ids = reply.content.status === 'ok' ? Object.keys(reply.content.comms) : [];
    } catch {
      return; // the kernel went away meanwhile; the next one is asked when it connects
    }
    const id = ids[ids.length - 1];
    if (id === undefined || this._kernel !== kernel || kernel.isDisposed || kernel.hasComm(id)) {
      return;
    }
    this.listen(kernel.createComm(RUNS_TARGET, id));
  }

  private readonly onOpen = (comm: Kernel.IComm): void => {
    this.listen(comm);
  };

  private listen(comm: Kernel.IComm): void {
    this.forget();
    this._comm = comm;
    comm.onMsg = message => {
      const runs = readRuns(message.content.data);
      if (this._comm === comm && runs !== null) {
        this.show(runs);
      }
    };
    comm.onClose = () => {
      if (this._comm === comm) {
        this._comm = null;
        this.show([]);
      }
    };
    comm.send(hello());
  }

  /** Stop listening, and leave the comm itself to the kernel, which may have other listeners. */
  private forget(): void {
    if (this._comm !== null) {
      const ignore = (): void => undefined;
      this._comm.onMsg = ignore;
      this._comm.onClose = ignore;
      this._comm = null;
    }
  }

  private show(runs: RunRow[]): void {
    if (runs.length > 0 || this._runs.length > 0) {
      this._runs = runs;
      this._changed.emit();
    }
  }

  private _kernel: Kernel.IKernelConnection | null = null;
  private _comm: Kernel.IComm | null = null;
  private _runs: readonly RunRow[] = [];
  private _disposed = false;
  private readonly _changed = new Signal<this, void>(this);
}
