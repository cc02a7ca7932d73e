/** Commands to the kernel as promises: each has an id, a reply and a time after which we stop waiting. */
import type { BenchModel, CommandName, Edit, Preview, ReplyMessage } from './protocol';

/** The kernel refused a command, or never answered it. */
export class CommandError extends Error {
  constructor(
    message: string,
    readonly type: string,
    readonly layer: string | null = null
  ) {
    super(message);
    this.name = 'CommandError';
  }
}

interface Waiting {
  resolve: (value: unknown) => void;
  reject: (reason: CommandError) => void;
  timer: ReturnType<typeof setTimeout>;
}

export class Client {
  private readonly waiting = new Map<string, Waiting>();
  private readonly prefix = Math.random().toString(36).slice(2, 8);
  private next = 0;

  constructor(
    private readonly model: Pick<BenchModel, 'send'>,
    private readonly timeout = 20_000
  ) {}

  hello(): void {
    this.model.send({ kind: 'hello' });
  }

  command(name: CommandName, args: Record<string, unknown> = {}): Promise<unknown> {
    const id = `${this.prefix}-${++this.next}`;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.waiting.delete(id);
        reject(
          new CommandError(
            'No answer from the kernel yet. It may be busy with a cell or restarting; run the cell again if it was restarted.',
            'Timeout'
          )
        );
      }, this.timeout);
      this.waiting.set(id, { resolve, reject, timer });
      try {
        this.model.send({ kind: 'command', id, name, args });
      } catch {
        this.settle({
          kind: 'reply',
          id,
          ok: false,
          error: {
            type: 'Disconnected',
            message: 'The kernel behind this view is gone; run the cell again.'
          }
        });
      }
    });
  }

  check(edit: Edit): Promise<Preview> {
    return this.command('check_edit', { edit }) as Promise<Preview>;
  }

  /** Replies to other views of the same run carry other ids and are ignored here. */
  settle(reply: ReplyMessage): void {
    const waiting = this.waiting.get(reply.id);
    if (!waiting) {
      return;
    }
    this.waiting.delete(reply.id);
    clearTimeout(waiting.timer);
    if (reply.ok) {
      waiting.resolve(reply.result);
    } else {
      const { message = 'The kernel refused.', type = 'Error', layer = null } = reply.error ?? {};
      waiting.reject(new CommandError(message, type, layer));
    }
  }

  dispose(): void {
    for (const { timer } of this.waiting.values()) {
      clearTimeout(timer);
    }
    this.waiting.clear();
  }
}
