/** A small curve of the loss, with words for those who do not see it. */

import type { TranslationBundle } from '@jupyterlab/translation';
import type { ReactElement } from 'react';

import { extent, path, shortNumber } from '../runs/sparkline';

const WIDTH = 120;
const HEIGHT = 28;

interface CurveProps {
  readonly values: readonly number[];
  readonly trans: TranslationBundle;
}

export function Curve({ values, trans }: CurveProps): ReactElement | null {
  const ends = extent(values);
  if (ends === null) {
    return null;
  }
  const words = trans.__(
    'Loss from %1 to %2, lowest %3',
    shortNumber(ends.first),
    shortNumber(ends.last),
    shortNumber(ends.lowest)
  );
  return (
    <svg
      className="jp-WorkbenchCurve"
      role="img"
      aria-label={words}
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      preserveAspectRatio="none"
    >
      <title>{words}</title>
      <path d={path(values, WIDTH, HEIGHT, 2)} />
    </svg>
  );
}
