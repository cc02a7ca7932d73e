import { describe, expect, it } from 'vitest';
import { readConfusion } from './confusion';
import { toRgba } from './pixels';

describe('the confusion matrix', () => {
  it('is read by rows of truth', () => {
    const matrix = readConfusion(Int32Array.of(8, 2, 0, 0, 5, 5, 0, 0, 0), 3);
    expect(matrix.at(0, 1)).toBe(2);
    expect(matrix.total).toBe(20);
    expect(matrix.right).toBe(13);
    expect(matrix.recall).toEqual([0.8, 0.5, null]);
    expect(matrix.worst).toEqual([
      { truth: 1, guess: 2, count: 5 },
      { truth: 0, guess: 1, count: 2 }
    ]);
  });
});

describe('images', () => {
  it('of one channel are ink on the paper of either theme', () => {
    const pixels = Uint8Array.of(0, 255, 7, 9);
    expect([...toRgba(pixels, 1, 1, 1, 2, [1, 2, 3])]).toEqual([1, 2, 3, 7, 1, 2, 3, 9]);
  });

  it('of three channels are colours, plane after plane', () => {
    const pixels = Uint8Array.of(10, 11, 20, 21, 30, 31);
    expect([...toRgba(pixels, 0, 3, 1, 2, [0, 0, 0])]).toEqual([10, 20, 30, 255, 11, 21, 31, 255]);
  });
});
