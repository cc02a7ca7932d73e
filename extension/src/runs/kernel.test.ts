import { Signal } from '@lumino/signaling';
import { beforeEach, expect, it } from 'vitest';

import { KernelRuns, type KernelSession } from './kernel';

/** A comm that remembers what was sent, and a kernel that knows comms: just enough to be told apart. */
class FakeComm {
  sent: unknown[] = [];
  onMsg: (message: unknown) => void = () => undefined;
  onClose: (message: unknown) => void = () => undefined;

  send(data: unknown): void {
    this.sent.push(data);
  }

  say(...runs: unknown[]): void {
    this.onMsg({ content: { data: { kind: 'runs', runs } } });
  }
}

class FakeKernel {
  handleComms = true;
  connectionStatus = 'connected';
  isDisposed = false;
  existing: string[] = [];
  comms = new Map<string, FakeComm>();
  targets: ((comm: FakeComm) => void)[] = [];

  registerCommTarget(_: string, target: (comm: FakeComm) => void): void {
    this.targets.push(target);
  }

  removeCommTarget(_: string, target: (comm: FakeComm) => void): void {
    this.targets = this.targets.filter(known => known !== target);
  }

  requestCommInfo(): Promise<unknown> {
    const comms = Object.fromEntries(this.existing.map(id => [id, {}]));
    return Promise.resolve({ content: { status: 'ok', comms } });
  }

  hasComm(id: string): boolean {
    return this.comms.has(id);
  }

  createComm(_: string, id: string): FakeComm {
    const comm = new FakeComm();
    this.comms.set(id, comm);
    return comm;
  }

  open(): FakeComm {
    const comm = new FakeComm();
    this.targets.forEach(target => {
      target(comm);
    });
    return comm;
  }
}

class FakeSession {
  kernelChanged = new Signal<this, { newValue: FakeKernel | null }>(this);
  statusChanged = new Signal<this, string>(this);
  connectionStatusChanged = new Signal<this, string>(this);
  session: { kernel: FakeKernel } | null;

  constructor(kernel: FakeKernel) {
    this.session = { kernel };
  }
}

const row = { run_id: 'a', name: 'digits', state: 'running', step: 1 };
const settle = (): Promise<void> => new Promise(resolve => setTimeout(resolve));

let kernel: FakeKernel;
let session: FakeSession;
let runs: KernelRuns;

beforeEach(() => {
  kernel = new FakeKernel();
  session = new FakeSession(kernel);
  runs = new KernelRuns(session as unknown as KernelSession);
});

it('listens to the comm a kernel opens, and greets it', () => {
  const comm = kernel.open();
  expect(comm.sent).toEqual([{ kind: 'hello' }]);
  comm.say(row);
  expect(runs.runs.map(run => run.name)).toEqual(['digits']);
  expect(runs.command('a', 'pause')).toBe(true);
  expect(comm.sent[1]).toEqual({ kind: 'command', run_id: 'a', name: 'pause' });
  expect(runs.command('other', 'pause')).toBe(false);
});

it('picks up the comm of a kernel that ran before the page was loaded', async () => {
  kernel.existing = ['old'];
  runs = new KernelRuns(session as unknown as KernelSession);
  await settle();
  expect(kernel.comms.get('old')?.sent).toEqual([{ kind: 'hello' }]);
});

it('forgets its runs when the kernel restarts, and lists those of the new process', () => {
  const before = kernel.open();
  before.say(row);
  session.statusChanged.emit('restarting');
  expect(runs.runs).toEqual([]);
  expect(runs.command('a', 'pause')).toBe(false);
  before.say(row); // a message that was still under way
  expect(runs.runs).toEqual([]);
  kernel.open().say({ ...row, name: 'again' });
  expect(runs.runs.map(run => run.name)).toEqual(['again']);
});

it('moves to another kernel and lets go of the first', () => {
  kernel.open().say(row);
  const other = new FakeKernel();
  session.kernelChanged.emit({ newValue: other });
  expect(runs.runs).toEqual([]);
  expect(kernel.targets).toEqual([]);
  other.open().say(row);
  expect(runs.runs).toHaveLength(1);
});

it('empties the list when the kernel closes the comm', () => {
  const comm = kernel.open();
  comm.say(row);
  comm.onClose({});
  expect(runs.runs).toEqual([]);
});

it('leaves a connection without comms alone', () => {
  const second = new FakeKernel();
  second.handleComms = false;
  session.kernelChanged.emit({ newValue: second });
  expect(second.targets).toEqual([]);
});

it('unregisters and falls silent when disposed', () => {
  const comm = kernel.open();
  comm.say(row);
  let times = 0;
  runs.changed.connect(() => (times += 1));
  runs.dispose();
  comm.say(row);
  expect(kernel.targets).toEqual([]);
  expect(times).toBeLessThanOrEqual(1);
});
