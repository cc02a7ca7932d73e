import { describe, expect, it } from 'vitest';
import { nudge, parseBatch, parseRate } from './controls/rate';
import { count, duration, percent, plain, real, shape, short, signed } from './format';
import { literal, quote, runLine } from './python';

describe('numbers as people read them', () => {
  it('counts', () => {
    expect(count(1234)).toBe('1234');
    expect(count(1234567)).toBe('1\u202f234\u202f567');
    expect(count(null)).toBe('–');
    expect([940, 999.9, 12_345, 999_999, 4_500_000, 2e9].map(short)).toEqual([
      '940',
      '1k',
      '12.3k',
      '1M',
      '4.5M',
      '2G'
    ]);
    expect([5, -64, 0].map(signed)).toEqual(['+5', '−64', '±0']);
  });

  it('measures', () => {
    expect([0.2184, 12.345, 0, 1e-5, 3.2e7, -0.5].map(x => real(x))).toEqual([
      '0.218',
      '12.3',
      '0',
      '1.00e−5',
      '3.20e7',
      '−0.500'
    ]);
    expect([real(NaN), real(Infinity), real(null)]).toEqual(['NaN', '∞', '–']);
    expect(percent(0.9731)).toBe('97.3\u202f%');
    expect([0.001, 3e-4, 1, 0.1 + 0.2].map(plain)).toEqual(['0.001', '3e-4', '1', '0.3']);
  });

  it('writes shapes and times', () => {
    expect([shape([16, 8, 8]), shape([10]), shape([]), shape(null)]).toEqual([
      '16×8×8',
      '10',
      'scalar',
      ''
    ]);
    expect([8, 125, 4800, NaN, -1].map(duration)).toEqual([
      '8 s',
      '2 min 05 s',
      '1 h 20 min',
      '–',
      '–'
    ]);
  });
});

describe('Python', () => {
  it('quotes whatever a name holds', () => {
    expect(quote('fc1')).toBe("'fc1'");
    expect(quote("it's")).toBe('"it\'s"');
    expect(quote('a\\b\n')).toBe("'a\\\\b\\n'");
    expect(quote(`'"`)).toBe(`'\\'"'`);
  });

  it('writes literals and calls', () => {
    expect([null, true, 3, 1e-5, 'x', [3], [3, 5]].map(literal)).toEqual([
      'None',
      'True',
      '3',
      '1e-5',
      "'x'",
      '(3,)',
      '(3, 5)'
    ]);
    expect(runLine('pause')).toBe('run.pause()');
    expect(runLine('set_lr', { lr: 3e-4 })).toBe('run.set_lr(3e-4)');
    expect(runLine('edit')).toBeNull();
  });
});

describe('the learning rate', () => {
  it('walks 1, 2, 5, 10', () => {
    expect([1e-3, 2e-3, 5e-3, 3e-4].map(x => nudge(x, true))).toEqual([2e-3, 5e-3, 1e-2, 5e-4]);
    expect([1e-3, 2e-3, 1, 3e-4].map(x => nudge(x, false))).toEqual([5e-4, 1e-3, 0.5, 2e-4]);
    expect(nudge(0, true)).toBe(1e-4);
  });

  it('reads what is typed, and nothing else', () => {
    expect(['3e-4', ' 0.1 ', '0,01', '0'].map(parseRate)).toEqual([3e-4, 0.1, 0.01, 0]);
    expect(['', 'x', '-1', 'Infinity'].map(parseRate)).toEqual([null, null, null, null]);
    expect(['64', '0', '1.5', '-2'].map(parseBatch)).toEqual([64, null, null, null]);
  });
});
