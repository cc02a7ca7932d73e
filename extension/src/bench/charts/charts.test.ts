import { describe, expect, it } from 'vitest';
import { Series } from '../store/series';
import { decades, paintRow } from './heat';
import { logLabels, logSplits, powers, stepTick, superscript } from './look';
import { flags } from './marks';
import { summarise } from './summary';

describe('axes', () => {
  it('name whole powers of ten only', () => {
    expect(powers([0.5, 1, 0.001, 1e-8, 1e5])).toEqual(['', '1', '0.001', '10⁻⁸', '10⁵']);
    expect(superscript(-12)).toBe('⁻¹²');
  });

  it('draw few log lines, wherever the axis begins', () => {
    expect(logSplits(0.0983, 0.4087)).toEqual([0.1, 0.2]);
    expect(logLabels(logSplits(0.0983, 0.4087))).toEqual(['0.1', '0.2']);
    expect(logSplits(2e-9, 3e-7)).toEqual([2e-9, 5e-9, 1e-8, 2e-8, 5e-8, 1e-7, 2e-7]);
    expect(logLabels([2e-9, 5e-9])).toEqual(['2·10⁻⁹', '5·10⁻⁹']);
    expect(logSplits(1e-30, 1e30).length).toBeLessThan(20);
    for (let i = 0; i < 1000; i++) {
      const min = 10 ** (20 * Math.sin(i));
      expect(logSplits(min, min * 2.25).length).toBeLessThan(5);
    }
    expect(logSplits(0, 1)).toEqual([]);
    expect(logSplits(NaN, 1)).toEqual([]);
  });

  it('write steps without rounding them', () => {
    expect([250, 1250, 12_500, 2_500_000].map(stepTick)).toEqual(['250', '1250', '12.5k', '2.5M']);
  });
});

describe('marks', () => {
  it('know the room for their labels', () => {
    const marks = [10, 20, 90, 200].map(step => ({
      step,
      kind: 'edit' as const,
      label: `${step}`
    }));
    expect(flags(marks, step => step, 0, 100).map(({ x, room, last }) => [x, room, last])).toEqual([
      [10, 10, false],
      [20, 70, false],
      [90, 10, true]
    ]);
  });
});

describe('the heat map', () => {
  it('spans whole decades, at least three', () => {
    expect(decades([Float32Array.of(-0.5, -1.2)])).toEqual([-3, 0]);
    expect(decades([Float32Array.of(-7.5, NaN), Float32Array.of(0.2)])).toEqual([-8, 1]);
    expect(decades([])).toEqual([-3, 0]);
    expect(decades([Float32Array.of(-0.5)], [-2, 1])).toEqual([-2, 1]);
    expect(decades([Float32Array.of(-0.5, 1.5)], [-2, 1])).toEqual([-1, 2]);
  });

  it('paints low values faint, high ones strong, and leaves gaps clear', () => {
    const table = new Uint8ClampedArray(1024).map((_, i) => (i % 4 === 3 ? 255 : i >> 2));
    const pixels = new Uint8ClampedArray(3 * 4);
    paintRow(pixels, 0, Float32Array.of(-3, 0, NaN), table, [-3, 0]);
    expect([...pixels]).toEqual([0, 0, 0, 255, 255, 255, 255, 255, 0, 0, 0, 0]);
  });
});

describe('a curve in words', () => {
  it('says where it began, where it stands and what was changed', () => {
    const loss = new Series(64, 0);
    loss.append([1, 2, 3], [2.3, 0.1, 0.2]);
    const marks = [{ step: 2, kind: 'edit' as const, label: 'Insert relu' }];
    const text = summarise('Loss', loss, undefined, marks, x => x.toFixed(1));
    expect(text).toBe(
      'Loss over 3 steps, smoothed: began at 2.3, lowest 0.1, highest 2.3, now 0.2. ' +
        'Changes: Insert relu at step 2.'
    );
    expect(summarise('Loss', undefined, undefined, [], String)).toBe('Loss: no points yet.');
  });
});
