/**
 * A uPlot chart that lives in an element: follows its size, is rebuilt when colours change, redraws
 * only while it can be seen.
 */
import uPlot from 'uplot';

/** Milliseconds between two drawings: about fifteen a second. */
const PERIOD = 66;

export interface ChartSource {
  options: (size: { width: number; height: number }) => uPlot.Options;
  data: (width: number) => uPlot.AlignedData;
}

export class Chart {
  plot: uPlot | null = null;
  private seen = true;
  private stale = false;
  private drawn = -Infinity;
  private timer: ReturnType<typeof setTimeout> | null = null;
  private readonly resize: ResizeObserver;
  private readonly watch: IntersectionObserver | null;

  constructor(
    private readonly element: HTMLElement,
    private readonly source: ChartSource
  ) {
    this.resize = new ResizeObserver(() => this.fit());
    this.resize.observe(element);
    this.watch =
      typeof IntersectionObserver === 'function'
        ? new IntersectionObserver(entries => {
            this.seen = entries.at(-1)?.isIntersecting ?? true;
            if (this.seen && this.stale) {
              this.update();
            }
          })
        : null;
    this.watch?.observe(element);
    this.fit();
  }

  private size(): { width: number; height: number } {
    return { width: this.element.clientWidth, height: this.element.clientHeight };
  }

  private fit(): void {
    const size = this.size();
    if (size.width < 40 || size.height < 40) {
      return;
    }
    if (this.plot) {
      this.plot.setSize(size);
    } else {
      this.plot = new uPlot(this.source.options(size), this.source.data(size.width), this.element);
    }
    this.draw();
  }

  /** Takes the data anew, now or a little later: drawing is the dearest thing a message causes. */
  update(): void {
    if (!this.seen) {
      this.stale = true;
      return;
    }
    const wait = this.drawn + PERIOD - performance.now();
    if (wait > 0) {
      this.timer ??= setTimeout(() => this.draw(), wait);
    } else {
      this.draw();
    }
  }

  private draw(): void {
    if (this.timer !== null) {
      clearTimeout(this.timer);
    }
    this.timer = null;
    this.stale = false;
    this.drawn = performance.now();
    this.plot?.setData(this.source.data(this.element.clientWidth));
  }

  destroy(): void {
    if (this.timer !== null) {
      clearTimeout(this.timer);
    }
    this.resize.disconnect();
    this.watch?.disconnect();
    this.plot?.destroy();
    this.plot = null;
  }
}
