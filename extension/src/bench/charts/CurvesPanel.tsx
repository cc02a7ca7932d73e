/** Loss and accuracy, one above the other, on one axis of steps. */
import { useId, useMemo, useState } from 'react';
import { count, percent, plain, real } from '../format';
import { useSession, useStatusOf } from '../hooks';
import { Button } from '../shell/parts';
import { Curve } from './Curve';
import type { CurveSpec, Range } from './curvePlot';

const SMOOTH: [string, number][] = [
  ['none', 0],
  ['little', 0.8],
  ['some', 0.9],
  ['much', 0.97]
];
const LATEST = [0, 1000, 200];

export function CurvesPanel() {
  const { store } = useSession();
  const id = useId();
  const [log, setLog] = useState(false);
  const [zoom, setZoom] = useState<Range | null>(null);
  const [latest, setLatest] = useState(0);
  const [beta, setBeta] = useState(0.9);
  // Only a window that moves along needs to hear of every new step.
  const end = useStatusOf(status => (latest ? status.step : 0));

  const loss = useMemo<CurveSpec>(
    () => ({
      raw: 'loss',
      validation: 'val/loss',
      log,
      format: value => real(value),
      tick: value => plain(value),
      sync: id,
      labels: true
    }),
    [log, id]
  );
  const accuracy = useMemo<CurveSpec>(
    () => ({
      raw: 'accuracy',
      validation: 'val/accuracy',
      log: false,
      format: value => percent(value),
      tick: value => percent(value, 0),
      sync: id,
      labels: false,
      limits: [0, 1]
    }),
    [id]
  );
  const range = useMemo(
    () => zoom ?? (latest && end > 0 ? { min: Math.max(0, end - latest), max: end } : null),
    [zoom, latest, end]
  );
  const choose = (next: Range | null) => {
    setZoom(next);
    if (!next) {
      setLatest(0);
    }
  };

  return (
    <div className="wb-curves">
      <div className="wb-toolbar">
        <label>
          <span>Steps</span>
          <select
            value={zoom ? 'zoom' : latest}
            data-testid="wb-range"
            onChange={event => {
              setZoom(null);
              setLatest(Number(event.target.value));
            }}
          >
            {LATEST.map(steps => (
              <option key={steps} value={steps}>
                {steps ? `latest ${count(steps)}` : 'all'}
              </option>
            ))}
            {zoom && <option value="zoom">zoomed</option>}
          </select>
        </label>
        <label>
          <span>Smoothing</span>
          <select
            value={beta}
            onChange={event => {
              setBeta(Number(event.target.value));
              store.smoothing(Number(event.target.value));
            }}
          >
            {SMOOTH.map(([name, value]) => (
              <option key={name} value={value}>
                {name}
              </option>
            ))}
          </select>
        </label>
        <label>
          <input type="checkbox" checked={log} onChange={event => setLog(event.target.checked)} />
          <span>Log loss</span>
        </label>
        {zoom && (
          <Button
            icon="fit"
            label="Reset zoom"
            labelled
            data-testid="wb-reset-zoom"
            onClick={() => choose(null)}
          />
        )}
      </div>
      <Curve title="Loss" spec={loss} range={range} onRange={choose} testid="wb-chart-loss" />
      <Curve
        title="Accuracy"
        spec={accuracy}
        range={range}
        onRange={choose}
        testid="wb-chart-accuracy"
      />
    </div>
  );
}
