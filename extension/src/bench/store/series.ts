/**
 * One recorded quantity over the whole run, in bounded memory.
 *
 * When full, the older half gives up half of its points (the extremes of each four stay), so the
 * start of the run is always there, coarser, and the newest steps are exact.
 */

export class Series {
  readonly steps: Float64Array;
  readonly values: Float32Array;
  readonly smooth: Float32Array;
  length = 0;
  private mean = 0;
  private weight = 0;

  constructor(
    readonly capacity = 8192,
    private beta = 0.9
  ) {
    this.steps = new Float64Array(capacity);
    this.values = new Float32Array(capacity);
    this.smooth = new Float32Array(capacity);
  }

  get lastStep(): number {
    return this.length ? (this.steps[this.length - 1] ?? NaN) : -Infinity;
  }

  get last(): number | null {
    return this.length ? (this.values[this.length - 1] ?? null) : null;
  }

  clear(): void {
    this.length = 0;
    this.mean = this.weight = 0;
  }

  /** Points at or before the last known step are repeats (a resend) and are left out. */
  append(steps: ArrayLike<number>, values: ArrayLike<number>): void {
    for (let i = 0; i < steps.length; i++) {
      const step = steps[i] ?? NaN;
      if (step > this.lastStep) {
        this.push(step, values[i] ?? NaN);
      }
    }
  }

  /** Changes how much the smoothed line remembers (0: nothing, towards 1: much). */
  smoothing(beta: number): void {
    this.beta = beta;
    this.mean = this.weight = 0;
    for (let i = 0; i < this.length; i++) {
      this.smooth[i] = this.average(this.values[i] ?? NaN);
    }
  }

  private push(step: number, value: number): void {
    if (this.length === this.capacity) {
      this.compact();
    }
    this.steps[this.length] = step;
    this.values[this.length] = value;
    this.smooth[this.length] = this.average(value);
    this.length += 1;
  }

  /** Exponential moving average, corrected for its start at zero (as Adam's moments are). */
  private average(value: number): number {
    if (Number.isFinite(value)) {
      this.mean = this.beta * this.mean + (1 - this.beta) * value;
      this.weight = this.beta * this.weight + (1 - this.beta);
    }
    return this.weight > 0 ? this.mean / this.weight : NaN;
  }

  private compact(): void {
    const { steps, values, smooth, capacity } = this;
    const half = (capacity >> 3) << 2;
    let to = 0;
    const keep = (i: number) => {
      steps[to] = steps[i] ?? NaN;
      values[to] = values[i] ?? NaN;
      smooth[to] = smooth[i] ?? NaN;
      to += 1;
    };
    for (let at = 0; at < half; at += 4) {
      const [a, b] = extremes(values, at, at + 4);
      keep(a);
      keep(b);
    }
    steps.copyWithin(to, half, this.length);
    values.copyWithin(to, half, this.length);
    smooth.copyWithin(to, half, this.length);
    this.length = to + this.length - half;
  }
}

/** Indices of the smallest and largest value in [from, to), in order of time, two different ones. */
export function extremes(values: ArrayLike<number>, from: number, to: number): [number, number] {
  let low = from;
  let high = from;
  for (let i = from + 1; i < to; i++) {
    const value = values[i] ?? NaN;
    if (value < (values[low] ?? NaN) || Number.isNaN(values[low])) {
      low = i;
    }
    if (value >= (values[high] ?? NaN) || Number.isNaN(values[high])) {
      high = i;
    }
  }
  if (low === high) {
    high = low === to - 1 ? from : to - 1;
  }
  return low < high ? [low, high] : [high, low];
}
