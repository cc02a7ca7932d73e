/** A model that behaves as a kernel with a training run behind it, for the harness and for tests. */
import type { BenchModel, Edit, Mark, Status, Traits } from '../protocol';
import { CATALOGUE } from './catalogue';
import { digit, generator } from './digits';
import { applied, graphOf, type Plan, preview, Refused, sample } from './network';

type Listener = (...args: unknown[]) => void;
interface Entry {
  seq: number;
  label: string;
  code: string;
  state: 'applied' | 'undone';
  step: number;
  before: Plan;
  after: Plan;
}

const RATE = 50;
const IMAGES = 40;

export class FakeModel implements BenchModel {
  private readonly listeners = new Map<string, Set<Listener>>();
  private readonly random = generator(7);
  private plan: Plan;
  private version = 1;
  private readonly log: Entry[] = [];
  private marks: Mark[] = [];
  private readonly history: { key: string; steps: number[]; values: number[] }[] = [];
  private readonly labels = Array.from({ length: IMAGES }, (_, i) => (i * 7) % 10);
  private readonly traits: Traits;
  private timer: ReturnType<typeof setInterval> | null = null;
  private readonly perStep: number;

  constructor(
    options: { network?: string; steps?: number; sick?: boolean; perTick?: number } = {}
  ) {
    this.plan = sample(options.network ?? 'cnn');
    this.sick = options.sick ?? false;
    this.perStep = options.perTick ?? 6;
    const status: Status = {
      run_id: 'a1b2c3',
      name: 'digits',
      state: 'idle',
      step: 0,
      steps_total: 3000,
      epoch: 0,
      lr: 0.001,
      batch_size: 64,
      eta_s: null,
      steps_per_s: null,
      loss: null,
      metrics: {},
      error: null,
      device: 'cpu',
      seed: 0,
      optimizer: 'Adam',
      loss_name: 'CrossEntropyLoss'
    };
    this.traits = {
      graph: graphOf(this.plan, this.version),
      catalogue: CATALOGUE,
      classes: Array.from({ length: 10 }, (_, i) => String(i)),
      history: { edits: [], can_undo: false, can_redo: false },
      status,
      layout: { theme: 'auto' }
    };
    for (let i = 0; i < (options.steps ?? 0); i++) {
      this.advance();
    }
  }

  private readonly sick: boolean;

  get<K extends keyof Traits>(key: K): Traits[K] {
    return this.traits[key];
  }

  on(event: string, callback: (...args: never[]) => void): void {
    const set = this.listeners.get(event) ?? new Set<Listener>();
    this.listeners.set(event, set.add(callback as Listener));
  }

  off(event: string, callback: (...args: never[]) => void): void {
    this.listeners.get(event)?.delete(callback as Listener);
  }

  /** How many listeners are left; 0 after a view has gone. */
  get listening(): number {
    return [...this.listeners.values()].reduce((sum, set) => sum + set.size, 0);
  }

  send(content: unknown): void {
    const message = content as {
      kind: string;
      id: string;
      name: string;
      args: Record<string, unknown>;
    };
    setTimeout(() => {
      if (message.kind === 'hello') {
        this.stream(true);
        return;
      }
      try {
        const result = this.obey(message.name, message.args);
        this.tell({ kind: 'reply', id: message.id, ok: true, result, error: null });
      } catch (error) {
        const { message: text, layer = null } = error as Partial<Refused>;
        const reply = { type: 'EditError', message: text, layer };
        this.tell({ kind: 'reply', id: message.id, ok: false, result: null, error: reply });
      }
    }, 15);
  }

  fail(): void {
    this.pause('failed', {
      kind: 'NaN in the loss',
      message: 'The loss became NaN; the first layer with a number that is not finite is head.',
      layer: this.plan.nodes.at(-1)?.id ?? null,
      step: this.traits.status.step
    });
    this.mark('error', 'NaN in the loss');
  }

  private obey(name: string, args: Record<string, unknown>): unknown {
    const { status } = this.traits;
    switch (name) {
      case 'start':
      case 'resume':
        this.set('status', { ...status, state: 'running', error: null });
        this.timer ??= setInterval(() => this.tick(), RATE);
        return null;
      case 'pause':
        return this.pause('paused');
      case 'stop':
        return this.pause('stopped');
      case 'step':
        this.advance();
        this.stream(false);
        return null;
      case 'set_lr':
        this.set('status', { ...status, lr: Number(args.lr) });
        return this.mark('lr', `lr ${String(args.lr)}`);
      case 'set_batch_size':
        return this.set('status', { ...status, batch_size: Number(args.batch_size) });
      case 'check_edit':
        return preview(this.plan, args.edit as Edit);
      case 'edit':
        return this.edit(args.edit as Edit);
      case 'undo':
      case 'redo':
        return this.turn(name);
      default:
        return `# ${name}\nimport workbench as wb\n`;
    }
  }

  private edit(edit: Edit): unknown {
    const { plan, code, label } = applied(this.plan, edit);
    graphOf(plan, 0);
    while (this.log.at(-1)?.state === 'undone') {
      this.log.pop();
    }
    const { step } = this.traits.status;
    const seq = this.log.length + 1;
    this.log.push({ seq, label, code, state: 'applied', step, before: this.plan, after: plan });
    this.become(plan);
    this.mark('edit', label);
    return { seq, label, code };
  }

  private turn(name: 'undo' | 'redo'): unknown {
    const undo = name === 'undo';
    const wanted = undo ? 'applied' : 'undone';
    const entry = undo
      ? [...this.log].reverse().find(one => one.state === wanted)
      : this.log.find(one => one.state === wanted);
    if (!entry) {
      throw new Refused(`nothing to ${name}`);
    }
    entry.state = undo ? 'undone' : 'applied';
    this.become(undo ? entry.before : entry.after);
    this.mark('edit', `${name} ${entry.label}`);
    return { seq: entry.seq, label: `${name} ${entry.label}`, code: entry.code };
  }

  private become(plan: Plan): void {
    this.plan = plan;
    this.set('graph', graphOf(plan, ++this.version));
    this.set('history', {
      edits: this.log.map(({ seq, label, code, state, step }) => ({
        seq,
        label,
        code,
        state,
        step
      })),
      can_undo: this.log.some(entry => entry.state === 'applied'),
      can_redo: this.log.some(entry => entry.state === 'undone')
    });
  }

  private pause(state: Status['state'], error: Status['error'] = null): null {
    if (this.timer) {
      clearInterval(this.timer);
    }
    this.timer = null;
    this.set('status', { ...this.traits.status, state, error });
    return null;
  }

  private mark(kind: Mark['kind'], label: string): null {
    this.marks = [...this.marks, { step: this.traits.status.step, kind, label }];
    this.tell({ kind: 'marks', marks: this.marks });
    return null;
  }

  private tick(): void {
    for (let i = 0; i < this.perStep; i++) {
      this.advance();
    }
    this.stream(false);
    this.predict(false);
    if (this.traits.status.step >= 3000) {
      this.pause('finished');
    }
  }

  private readonly sent = new Map<string, number>();

  private record(key: string, step: number, value: number): void {
    let series = this.history.find(one => one.key === key);
    if (!series) {
      series = { key, steps: [], values: [] };
      this.history.push(series);
    }
    series.steps.push(step);
    series.values.push(value);
  }

  private advance(): void {
    const { status } = this.traits;
    const step = status.step + 1;
    const noise = () => this.random() + this.random() - 1;
    const base = 0.03 + 2.27 * Math.exp(-step / 260) + 0.25 * Math.exp(-step / 1200);
    const loss = base * Math.exp(0.28 * noise());
    const accuracy = Math.min(1, Math.max(0, 1 - 0.36 * base - 0.05 * Math.abs(noise())));
    this.record('loss', step, loss);
    this.record('accuracy', step, accuracy);
    if (step % 50 === 0) {
      this.record('val/loss', step, base * 1.12 + 0.03);
      this.record('val/accuracy', step, Math.min(0.983, 1 - 0.37 * base - 0.012));
    }
    const layers = graphOf(this.plan, 0).nodes.filter(node => node.parameters && !node.frozen);
    layers.forEach((node, i) => {
      const depth = layers.length - 1 - i;
      const size = this.sick ? 10 ** (-2.3 * depth) : 0.6 ** depth;
      this.record(
        `grad_norm:${node.id}`,
        step,
        0.8 * size * Math.sqrt(base) * Math.exp(0.5 * noise())
      );
      this.record(`update_ratio:${node.id}`, step, 0.0021 * size ** 0.3 * Math.exp(0.2 * noise()));
    });
    this.traits.status = {
      ...status,
      step,
      epoch: Math.floor(step / 23),
      loss,
      metrics: { accuracy },
      steps_per_s: 119.4,
      eta_s: (3000 - step) / 119.4
    };
  }

  private stream(reset: boolean): void {
    if (reset) {
      this.sent.clear();
      this.tell({ kind: 'marks', marks: this.marks });
    }
    const parts = this.history.map(({ key, steps, values }) => {
      const from = this.sent.get(key) ?? 0;
      this.sent.set(key, steps.length);
      return { key, steps: steps.slice(from), values: values.slice(from) };
    });
    let offset = 0;
    const series = parts.map(({ key, steps }) => {
      const part = { key, offset, length: steps.length };
      offset += steps.length;
      return part;
    });
    const steps = Float64Array.from(parts.flatMap(part => part.steps));
    // Off by four bytes on purpose: buffers inside a message need not be aligned.
    const bytes = new Uint8Array(steps.byteLength + 4);
    bytes.set(new Uint8Array(steps.buffer), 4);
    const values = Float32Array.from(parts.flatMap(part => part.values));
    this.tell({ kind: 'series', reset, series }, [
      new DataView(bytes.buffer, 4),
      new DataView(values.buffer)
    ]);
    if (reset) {
      this.predict(true);
    }
    this.fire('change:status');
  }

  private predict(images: boolean): void {
    const { step } = this.traits.status;
    const part = 0.03 + 0.6 * Math.exp(-step / 300);
    const random = generator(99);
    const guess = this.labels.map(label => (random() < part ? Math.floor(random() * 10) : label));
    const confusion = new Int32Array(100);
    for (let i = 0; i < 360; i++) {
      const label = i % 10;
      const wrong = random() < part;
      const to = wrong ? ([8, 7, 1, 8, 9, 6, 5, 9, 1, 4][label] ?? 0) : label;
      confusion[label * 10 + to] = (confusion[label * 10 + to] ?? 0) + 1;
    }
    const pixels = new Uint8Array(IMAGES * 64);
    const shapes = generator(3);
    this.labels.forEach((label, i) => pixels.set(digit(label, shapes), i * 64));
    const buffers = [new DataView(confusion.buffer)];
    this.tell(
      {
        kind: 'predictions',
        step,
        n: IMAGES,
        channels: 1,
        height: 8,
        width: 8,
        true: this.labels,
        guess,
        prob: guess.map(() => 1 - part * random()),
        classes: 10,
        images
      },
      images ? [...buffers, new DataView(pixels.buffer)] : buffers
    );
  }

  private set<K extends keyof Traits>(key: K, value: Traits[K]): null {
    this.traits[key] = value;
    this.fire(`change:${key}`);
    return null;
  }

  private tell(content: unknown, buffers: DataView[] = []): void {
    this.fire('msg:custom', content, buffers);
  }

  private fire(event: string, ...args: unknown[]): void {
    for (const listener of [...(this.listeners.get(event) ?? [])]) {
      listener(...args);
    }
  }
}
