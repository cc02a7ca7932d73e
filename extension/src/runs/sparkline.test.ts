import { describe, expect, it } from 'vitest';

import { extent, path, shortNumber } from './sparkline';

describe('path', () => {
  it('goes from the upper left to the lower right for a falling loss', () => {
    expect(path([2, 1, 0], 12, 6, 1)).toBe('M1 1L6 3L11 5');
  });

  it('draws a constant series half-way up, and a single point at the left', () => {
    expect(path([5, 5], 10, 10, 0)).toBe('M0 5L10 5');
    expect(path([5], 10, 10, 0)).toBe('M0 5');
  });

  it('breaks the line at gaps', () => {
    expect(path([1, NaN, 0], 10, 10, 0)).toBe('M0 0M10 10');
  });

  it('is empty without a finite value', () => {
    expect(path([], 10, 10)).toBe('');
    expect(path([NaN, Infinity], 10, 10)).toBe('');
  });
});

it('tells first, last and lowest of a curve', () => {
  expect(extent([NaN, 3, 0.5, 1])).toEqual({ first: 3, last: 1, lowest: 0.5 });
  expect(extent([NaN])).toBeNull();
});

it('writes a number short', () => {
  expect(shortNumber(0.32149)).toBe('0.321');
  expect(shortNumber(2.3)).toBe('2.30');
  expect(shortNumber(0)).toBe('0.00');
  expect(shortNumber(123.4)).toBe('123');
  expect(shortNumber(0.00001234)).toBe('1.2e-5');
  expect(shortNumber(1234567)).toBe('1.2e+6');
});
