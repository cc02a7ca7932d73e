/** Which widgets live in a notebook's kernel, known without ever waiting for a busy kernel. */

import type { ISessionContext } from '@jupyterlab/apputils';
import { KernelMessage, type Kernel } from '@jupyterlab/services';
import type { IDisposable } from '@lumino/disposable';
import { Signal, type ISignal } from '@lumino/signaling';

export const WIDGET_TARGET = 'jupyter.widget';

/** The part of a notebook's session that is needed here. */
export type CommSession = Pick<
  ISessionContext,
  'session' | 'kernelChanged' | 'statusChanged' | 'connectionStatusChanged' | 'iopubMessage'
>;

/**
 * The ids of the widget models in a kernel.
 *
 * A kernel that ran before the page was loaded is asked once; from then on the messages that open and
 * close comms are overheard, because a kernel in the middle of a long cell answers no question.
 */
export class WidgetComms implements IDisposable {
  constructor(private readonly session: CommSession) {
    session.kernelChanged.connect(this.onKernel, this);
    session.statusChanged.connect(this.onStatus, this);
    session.connectionStatusChanged.connect(this.onConnection, this);
    session.iopubMessage.connect(this.onMessage, this);
    void this.ask();
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  has(modelId: string): boolean {
    return this._ids.has(modelId);
  }

  get isDisposed(): boolean {
    return this._disposed;
  }

  dispose(): void {
    this._disposed = true;
    this._ids.clear();
    Signal.clearData(this);
  }

  private onKernel(): void {
    this.clear();
    void this.ask();
  }

  private onStatus(_: unknown, status: Kernel.Status): void {
    if (status === 'restarting' || status === 'autorestarting' || status === 'dead') {
      this.clear();
    }
  }

  private onConnection(_: unknown, status: Kernel.ConnectionStatus): void {
    if (status === 'connected') {
      void this.ask();
    }
  }

  private onMessage(_: unknown, message: KernelMessage.IMessage): void {
    if (KernelMessage.isCommOpenMsg(message)) {
      if (message.content.target_name === WIDGET_TARGET) {
        this._ids.add(message.content.comm_id);
        this._changed.emit();
      }
    } else if (KernelMessage.isCommCloseMsg(message)) {
      if (this._ids.delete(message.content.comm_id)) {
        this._changed.emit();
      }
    }
  }

  private async ask(): Promise<void> {
    const kernel = this.session.session?.kernel;
    if (kernel?.connectionStatus !== 'connected') {
      return;
    }
    try {
      const { content } = await kernel.requestCommInfo({ target_name: WIDGET_TARGET });
      if (this._disposed || this.session.session?.kernel !== kernel || content.status !== 'ok') {
        return;
      }
      for (const id of Object.keys(content.comms)) {
        this._ids.add(id);
      }
      this._changed.emit();
    } catch {
      // The kernel went away while it was asked; the next connection asks again.
    }
  }

  private clear(): void {
    if (this._ids.size > 0) {
      this._ids.clear();
      this._changed.emit();
    }
  }

  private readonly _ids = new Set<string>();
  private readonly _changed = new Signal<this, void>(this);
  private _disposed = false;
}
