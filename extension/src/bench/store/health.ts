/**
 * Is a layer's gradient alive? Judged from the norms recorded over the latest steps.
 *
 * What counts is a layer's norm beside that of its neighbours: near a minimum all gradients are
 * small together, and that is no illness.
 */
import { real } from '../format';
import type { Series } from './series';

export type Verdict = 'ok' | 'vanishing' | 'exploding' | 'none' | 'frozen' | 'unknown';

export interface Health {
  verdict: Verdict;
  norm: number | null;
  ratio: number | null;
  why: string;
}

/** Below this part of the largest layer's norm a gradient is called vanishing. */
export const VANISHING = 1e-4;
/** Above this norm, or this many times its own usual size, a gradient is called exploding. */
export const EXPLODING = 1e3;
export const SURGE = 100;
const RECENT = 9;

export const RULE =
  `Vanishing: the gradient norm is below ${real(VANISHING, 1)} of the largest layer’s. ` +
  `Exploding: it is above ${real(EXPLODING, 1)}, not finite, or ${SURGE} times its usual size. ` +
  `Medians of the last ${RECENT} recorded steps.`;

export const WORDS: Record<Verdict, string> = {
  ok: 'healthy',
  vanishing: 'vanishing',
  exploding: 'exploding',
  none: 'no gradient',
  frozen: 'frozen',
  unknown: 'not yet known'
};

/** Shape, not colour, carries the verdict. */
export const SIGNS: Record<Verdict, string> = {
  ok: '✓',
  vanishing: '▽',
  exploding: '▲',
  none: '○',
  frozen: '❄',
  unknown: '·'
};

const SAMPLES = 65;

/** The median of a stretch, of at most some 65 values spread over it. */
export function median(values: ArrayLike<number>, from: number, to: number): number | null {
  const stride = Math.max(1, Math.ceil((to - from) / SAMPLES));
  const window: number[] = [];
  for (let i = from; i < to; i += stride) {
    window.push(values[i] ?? NaN);
  }
  if (window.length === 0) {
    return null;
  }
  if (window.some(x => !Number.isFinite(x))) {
    return NaN;
  }
  window.sort((a, b) => a - b);
  return window[window.length >> 1] ?? null;
}

export function recent(series: Series | undefined, points = RECENT): number | null {
  return series ? median(series.values, Math.max(0, series.length - points), series.length) : null;
}

/** `largest`: the largest recent norm among all layers. */
export function judge(
  norms: Series | undefined,
  ratios: Series | undefined,
  largest: number,
  frozen: boolean
): Health {
  const norm = recent(norms);
  const ratio = recent(ratios);
  const verdict = (verdict: Verdict, why: string): Health => ({ verdict, norm, ratio, why });
  if (frozen) {
    return verdict('frozen', 'Its parameters are held fixed.');
  }
  if (norm === null || !norms) {
    return verdict('unknown', 'No gradient recorded yet.');
  }
  if (!Number.isFinite(norm) || !Number.isFinite(norms.last ?? 0)) {
    return verdict('exploding', 'The gradient is not finite.');
  }
  if (norm === 0) {
    return verdict('none', 'The gradient is exactly zero: nothing reaches this layer.');
  }
  const usual = median(norms.values, 0, norms.length);
  if (norm > EXPLODING) {
    return verdict('exploding', `Gradient norm ${real(norm)} is above ${real(EXPLODING, 1)}.`);
  }
  if (usual && norm > SURGE * usual) {
    return verdict(
      'exploding',
      `Gradient norm is ${Math.round(norm / usual)} times its usual size.`
    );
  }
  if (norm < VANISHING * largest) {
    return verdict(
      'vanishing',
      `Gradient norm is ${real(norm / largest, 1)} of the largest layer’s.`
    );
  }
  return verdict('ok', `Gradient norm ${real(norm)}.`);
}
