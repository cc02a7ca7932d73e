/** One test image with the network's guess, its certainty, and the truth where they differ. */
import { memo, useEffect, useRef } from 'react';
import { percent } from '../format';
import type { Predictions } from '../store/store';
import type { Palette } from '../theme';
import { toRgba } from './pixels';

interface Props {
  pixels: Predictions['pixels'];
  channels: number;
  height: number;
  width: number;
  index: number;
  truth: string;
  guess: string;
  probability: number;
  palette: Palette | null;
}

export const Tile = memo(function Tile(props: Props) {
  const { pixels, channels, height, width, index, truth, guess, probability, palette } = props;
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const context = canvas.current?.getContext('2d');
    if (context && pixels && palette && width > 0 && height > 0) {
      const rgba = toRgba(pixels, index, channels, height, width, palette.inkRgb);
      context.putImageData(new ImageData(rgba, width, height), 0, 0);
    }
  }, [pixels, palette, index, channels, height, width]);

  const right = truth === guess;
  const words = right
    ? `${truth}, guessed right, ${percent(probability, 0)} certain`
    : `${truth}, guessed ${guess}, wrong, ${percent(probability, 0)} certain`;
  return (
    <li className="wb-tile" data-wrong={!right || undefined} data-testid="wb-tile" title={words}>
      <canvas ref={canvas} width={width} height={height} aria-hidden="true" />
      <span className="wb-certainty" aria-hidden="true">
        <i style={{ transform: `scaleX(${Math.min(1, Math.max(0, probability))})` }} />
      </span>
      <span className="wb-guess" aria-hidden="true">
        {right ? (
          <>
            <b>{guess}</b> ✓
          </>
        ) : (
          <>
            <b>{guess}</b> ✗ <span className="wb-truth">{truth}</span>
          </>
        )}
      </span>
      <span className="wb-hidden">{words}</span>
    </li>
  );
});
