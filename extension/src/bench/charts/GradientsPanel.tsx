/** How the gradient reaches each layer: norms over time, a heat map, and a verdict per layer. */
import { useEffect, useMemo, useRef, useState } from 'react';
import { useHealth } from '../builder/useHealth';
import { percent, real } from '../format';
import { useGraph, useSession, useSize } from '../hooks';
import { usePalette } from '../shell/Theme';
import { RULE, SIGNS, WORDS } from '../store/health';
import { css, ramp } from '../theme';
import { Chart } from './chart';
import { COLUMN, type Decades, lookup, paint } from './heat';
import { superscript } from './look';
import { lineColour, normsSource } from './norms';

export function GradientsPanel() {
  const { store } = useSession();
  const graph = useGraph();
  const palette = usePalette();
  const health = useHealth();
  const layers = useMemo(() => graph.nodes.filter(node => node.parameters > 0), [graph]);
  const ids = layers.map(layer => layer.id).join(' ');
  const plot = useRef<HTMLDivElement>(null);
  const heat = useRef<HTMLCanvasElement>(null);
  const room = useRef<HTMLDivElement>(null);
  const { width } = useSize(room);
  const [focus, setFocus] = useState<string | null>(null);
  const [range, setRange] = useState<Decades>([-3, 0]);
  const chosen = useRef<string | null>(null);
  const chart = useRef<Chart | null>(null);

  useEffect(() => {
    chosen.current = focus;
    chart.current?.plot?.redraw(false);
  }, [focus]);

  useEffect(() => {
    if (!plot.current || !palette) {
      return;
    }
    const made = new Chart(
      plot.current,
      normsSource(store, ids.split(' ').filter(Boolean), palette, () => chosen.current)
    );
    chart.current = made;
    const stop = store.subscribe('series', () => made.update());
    return () => {
      stop();
      made.destroy();
      chart.current = null;
    };
  }, [store, ids, palette]);

  useEffect(() => {
    if (!palette || width < COLUMN) {
      return;
    }
    const table = lookup(palette);
    let present: Decades | null = null;
    const draw = () => {
      if (heat.current) {
        const series = ids.split(' ').map(id => store.series.get(`grad_norm:${id}`));
        const found = paint(heat.current, series, Math.floor(width / COLUMN), table, present);
        if (found) {
          present = found;
          setRange(old => (old.join() === found.join() ? old : found));
        }
      }
    };
    draw();
    return store.subscribe('series', draw);
  }, [store, ids, palette, width]);

  if (layers.length === 0) {
    return <p className="wb-empty">No layer has parameters yet, so there are no gradients.</p>;
  }
  const ill = layers.filter(layer =>
    ['vanishing', 'exploding', 'none'].includes(health.get(layer.id)?.verdict ?? '')
  );
  return (
    <div className="wb-gradients" data-testid="wb-gradients">
      <figure className="wb-curve">
        <figcaption className="wb-readout">
          <strong>Gradient norm per layer</strong>
          <span className="wb-muted">log scale</span>
        </figcaption>
        <div
          className="wb-plot"
          ref={plot}
          role="img"
          aria-label={`Gradient norms over time. ${
            ill.length
              ? ill
                  .map(
                    layer => `${layer.name} ${WORDS[health.get(layer.id)?.verdict ?? 'unknown']}`
                  )
                  .join(', ')
              : 'No layer vanishing or exploding'
          }. The latest values are in the table below.`}
        />
      </figure>
      <div className="wb-heat">
        <table>
          <thead>
            <tr>
              <th scope="col">Layer</th>
              <th scope="col" className="wb-heat-time">
                <span className="wb-hidden">Gradient norm over time, as colour</span>
                <Scale range={range} />
              </th>
              <th scope="col">Norm</th>
              <th
                scope="col"
                title="Size of an update relative to the weights; about 0.1 % is usual"
              >
                Update
              </th>
              <th scope="col" title={RULE}>
                Health
              </th>
            </tr>
          </thead>
          <tbody>
            {layers.map((layer, i) => {
              const one = health.get(layer.id);
              const verdict = one?.verdict ?? 'unknown';
              return (
                <tr
                  key={layer.id}
                  data-testid="wb-gradient-row"
                  data-layer-id={layer.id}
                  data-verdict={verdict}
                  onPointerEnter={() => setFocus(layer.id)}
                  onPointerLeave={() => setFocus(null)}
                >
                  <th scope="row">
                    <i
                      className="wb-swatch"
                      style={
                        palette ? { background: css(lineColour(palette, i, layers.length)) } : {}
                      }
                    />
                    {layer.name}
                  </th>
                  {i === 0 && (
                    <td className="wb-heat-cell" rowSpan={layers.length} aria-hidden="true">
                      <div ref={room}>
                        <canvas ref={heat} />
                      </div>
                    </td>
                  )}
                  <td>{real(one?.norm)}</td>
                  <td>
                    {one?.ratio != null && one.ratio < 1e-3
                      ? real(one.ratio, 2)
                      : percent(one?.ratio, 2)}
                  </td>
                  <td title={one?.why}>
                    <span className="wb-verdict" data-verdict={verdict}>
                      <span aria-hidden="true">{SIGNS[verdict]}</span> {WORDS[verdict]}
                    </span>
                  </td>
                </tr>
              );
            })}
          </tbody>
        </table>
        <p className="wb-note">{RULE}</p>
      </div>
    </div>
  );
}

/** What the colours of the heat map stand for. */
function Scale({ range: [low, high] }: { range: Decades }) {
  const palette = usePalette();
  const stops = palette
    ? Array.from({ length: 9 }, (_, i) => css(ramp(palette, i / 8))).join(', ')
    : 'transparent, transparent';
  return (
    <span className="wb-scale" aria-hidden="true">
      10{superscript(low)}
      <i style={{ background: `linear-gradient(90deg, ${stops})` }} />
      10{superscript(high)}
    </span>
  );
}
