/**
 * Everything a view knows about its run, and who wants to hear of it.
 *
 * Messages change the data at once; listeners hear of it at most once per animation frame, so a
 * burst of messages costs one repaint.
 */
import { type Binary, decodeSeries, int32, uint8 } from '../messages';
import type { Mark, MarksMessage, PredictionsMessage, SeriesMessage, Traits } from '../protocol';
import { Series } from './series';

export type Topic = keyof Traits | 'series' | 'marks' | 'predictions';

export interface Predictions extends Omit<PredictionsMessage, 'images'> {
  confusion: Int32Array;
  pixels: Uint8Array | null;
}

const LONG = 16_384;
const PER_LAYER = 2_048;

export class Store {
  readonly series = new Map<string, Series>();
  marks: readonly Mark[] = [];
  predictions: Predictions | null = null;
  private readonly listeners = new Map<Topic, Set<() => void>>();
  private readonly versions = new Map<Topic, number>();
  private readonly dirty = new Set<Topic>();
  private frame: number | null = null;
  private beta = 0.9;

  subscribe(topic: Topic, listener: () => void): () => void {
    const set = this.listeners.get(topic) ?? new Set();
    this.listeners.set(topic, set.add(listener));
    return () => set.delete(listener);
  }

  /** Counts the changes of a topic; a stable snapshot for React. */
  version(topic: Topic): number {
    return this.versions.get(topic) ?? 0;
  }

  touch(topic: Topic): void {
    this.dirty.add(topic);
    this.frame ??= requestAnimationFrame(() => this.flush());
  }

  flush(): void {
    this.frame = null;
    const topics = [...this.dirty];
    this.dirty.clear();
    for (const topic of topics) {
      this.versions.set(topic, this.version(topic) + 1);
    }
    for (const topic of topics) {
      for (const listener of [...(this.listeners.get(topic) ?? [])]) {
        listener();
      }
    }
  }

  takeSeries(message: SeriesMessage, buffers: readonly Binary[]): void {
    if (message.reset) {
      this.series.clear();
    }
    for (const { key, steps, values } of decodeSeries(message.series, buffers)) {
      let series = this.series.get(key);
      if (!series) {
        series = new Series(key.includes(':') ? PER_LAYER : LONG, this.beta);
        this.series.set(key, series);
      }
      series.append(steps, values);
    }
    this.touch('series');
  }

  /** Marks always come whole. */
  takeMarks(message: MarksMessage): void {
    this.marks = [...message.marks].sort((a, b) => a.step - b.step);
    this.touch('marks');
  }

  /** Images travel only when they changed; until then the ones known stay. */
  takePredictions(message: PredictionsMessage, buffers: readonly Binary[]): void {
    const { images, ...rest } = message;
    const confusion = buffers[0] ? int32(buffers[0]) : new Int32Array();
    const size = rest.n * rest.channels * rest.height * rest.width;
    const fresh = images && buffers[1] ? uint8(buffers[1]) : null;
    const kept = this.predictions?.pixels ?? null;
    const pixels = fresh ?? kept;
    this.predictions = {
      ...rest,
      confusion: confusion.length === rest.classes ** 2 ? confusion.slice() : new Int32Array(),
      pixels: pixels?.length === size ? (fresh?.slice() ?? pixels) : null
    };
    this.touch('predictions');
  }

  smoothing(beta: number): void {
    this.beta = beta;
    for (const series of this.series.values()) {
      series.smoothing(beta);
    }
    this.touch('series');
  }

  dispose(): void {
    if (this.frame !== null) {
      cancelAnimationFrame(this.frame);
    }
    this.frame = null;
    this.listeners.clear();
    this.series.clear();
  }
}
