/** One view of one run: its data, its line to the kernel, and what it tells the person in front. */
import { Client, CommandError } from './client';
import { runLine } from './python';
import type { BenchModel, CommandName, Edit } from './protocol';
import { connect } from './store/connect';
import { Store } from './store/store';

export interface Feedback {
  /** The Python line that does what the latest click did. */
  code: string | null;
  /** Why the latest command was refused. */
  problem: CommandError | null;
  /** Said to screen readers. */
  spoken: string;
  /** Commands on their way to the kernel. */
  pending: number;
}

export class Session {
  readonly store = new Store();
  readonly client: Client;
  feedback: Feedback = { code: null, problem: null, spoken: '', pending: 0 };
  private readonly listeners = new Set<() => void>();
  private readonly disconnect: () => void;

  constructor(readonly model: BenchModel) {
    this.client = new Client(model);
    this.disconnect = connect(model, this.store, this.client);
  }

  /** Sends a command and keeps its code or its refusal; the promise never rejects. */
  async run(name: CommandName, args: Record<string, unknown> = {}): Promise<boolean> {
    this.tell({ problem: null, pending: this.feedback.pending + 1 });
    try {
      await this.client.command(name, args);
      this.tell({
        code: runLine(name, args) ?? this.feedback.code,
        pending: this.feedback.pending - 1
      });
      return true;
    } catch (error) {
      this.tell({ problem: asProblem(error), pending: this.feedback.pending - 1 });
      return false;
    }
  }

  /** Applies an edit. Answers null, or why it was refused, to be shown where it was made. */
  async edit(edit: Edit): Promise<CommandError | null> {
    this.tell({ problem: null, pending: this.feedback.pending + 1 });
    try {
      const result = await this.client.command('edit', { edit });
      this.tell({
        code: field(result, 'code') ?? this.feedback.code,
        spoken: field(result, 'label') ?? 'Done',
        pending: this.feedback.pending - 1
      });
      return null;
    } catch (error) {
      this.tell({ pending: this.feedback.pending - 1 });
      return asProblem(error);
    }
  }

  /** A text the kernel writes: the whole session as a script, or the network as code. */
  async text(name: 'script' | 'code'): Promise<string | null> {
    try {
      const result = await this.client.command(name);
      return typeof result === 'string' ? result : textIn(result);
    } catch (error) {
      this.tell({ problem: asProblem(error) });
      return null;
    }
  }

  say(spoken: string): void {
    this.tell({ spoken });
  }

  /** Shows a refusal found before anything was sent to be applied (null takes it away). */
  refuse(problem: CommandError | null): void {
    this.tell({ problem });
  }

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  private tell(news: Partial<Feedback>): void {
    this.feedback = { ...this.feedback, ...news };
    this.listeners.forEach(listener => listener());
  }

  dispose(): void {
    this.disconnect();
    this.client.dispose();
    this.store.dispose();
    this.listeners.clear();
  }
}

export function asProblem(error: unknown): CommandError {
  return error instanceof CommandError
    ? error
    : new CommandError(error instanceof Error ? error.message : String(error), 'Error');
}

function field(result: unknown, name: string): string | null {
  const value = (result as Record<string, unknown> | null | undefined)?.[name];
  return typeof value === 'string' ? value : null;
}

const textIn = (result: unknown) =>
  field(result, 'text') ?? field(result, 'script') ?? field(result, 'code');
