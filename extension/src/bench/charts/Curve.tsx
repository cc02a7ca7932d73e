/** One curve with its readout above it and its meaning in words for those who do not see it. */
import { useEffect, useRef, useState } from 'react';
import { count } from '../format';
import { useSession, useTopic } from '../hooks';
import { usePalette } from '../shell/Theme';
import { Chart } from './chart';
import { type CurveSpec, curveSource, type Range } from './curvePlot';
import { SIGN } from './marks';
import { useSummary } from './summary';

interface Props {
  title: string;
  spec: CurveSpec;
  range: Range | null;
  onRange: (range: Range | null) => void;
  testid: string;
}

interface Reading {
  step: number;
  raw: number | null;
  smooth: number | null;
  validation: number | null;
}

export function Curve({ title, spec, range, onRange, testid }: Props) {
  const { store } = useSession();
  const palette = usePalette();
  const box = useRef<HTMLDivElement>(null);
  const chart = useRef<Chart | null>(null);
  const live = useRef({ range, onRange });
  const [hover, setHover] = useState<Reading | null>(null);

  useEffect(() => {
    live.current = { range, onRange };
    chart.current?.update();
  }, [range, onRange]);

  useEffect(() => {
    const element = box.current;
    if (!element || !palette) {
      return;
    }
    const made = new Chart(
      element,
      curveSource(store, spec, palette, {
        range: () => live.current.range,
        zoomed: zoom => live.current.onRange(zoom),
        hovered: (index, u) => {
          const at = (series: number) =>
            index === null ? null : (u.data[series]?.[index] ?? null);
          const step = at(0);
          setHover(step === null ? null : { step, raw: at(1), smooth: at(2), validation: at(3) });
        }
      })
    );
    chart.current = made;
    const off = [
      store.subscribe('series', () => made.update()),
      store.subscribe('marks', () => made.update())
    ];
    return () => {
      off.forEach(stop => stop());
      made.destroy();
      chart.current = null;
    };
  }, [store, palette, spec]);

  const summary = useSummary(title, spec);
  return (
    <figure className="wb-curve" data-testid={testid}>
      <figcaption className="wb-readout">
        <strong>{title}</strong>
        <Readout spec={spec} hover={hover} />
      </figcaption>
      <div
        className="wb-plot"
        ref={box}
        role="img"
        aria-label={summary}
        onDoubleClick={() => onRange(null)}
        onPointerLeave={() => setHover(null)}
      >
        <Waiting series={spec.raw} />
      </div>
    </figure>
  );
}

/** The values under the pointer, else the latest; each beside a sample of its line. */
function Readout({ spec, hover }: { spec: CurveSpec; hover: Reading | null }) {
  const { store } = useSession();
  useTopic('series');
  useTopic('marks');
  const train = store.series.get(spec.raw);
  const now: Reading = {
    step: train?.lastStep ?? 0,
    raw: train?.last ?? null,
    smooth: train?.length ? (train.smooth[train.length - 1] ?? null) : null,
    validation: store.series.get(spec.validation)?.last ?? null
  };
  const shown = hover ?? now;
  const text = (value: number | null) =>
    value === null || Number.isNaN(value) ? '–' : spec.format(value);
  const span = Math.max(2, (now.step || 0) / 150);
  const mark = hover && store.marks.find(({ step }) => Math.abs(step - hover.step) <= span);
  return (
    <span className="wb-keys">
      <span className="wb-key wb-key-smooth">
        smoothed <b>{text(shown.smooth)}</b>
      </span>
      <span className="wb-key wb-key-raw">
        each step <b>{text(shown.raw)}</b>
      </span>
      <span className="wb-key wb-key-validation">
        validation <b>{text(shown.validation)}</b>
      </span>
      {hover && (
        <span className="wb-muted">
          step {count(hover.step)}
          {mark ? ` · ${SIGN[mark.kind]} ${mark.label}` : ''}
        </span>
      )}
    </span>
  );
}

/** What an empty chart says of itself. */
function Waiting({ series }: { series: string }) {
  const { store } = useSession();
  useTopic('series');
  return store.series.get(series)?.length ? null : (
    <p className="wb-waiting">Points appear here once training has begun.</p>
  );
}
