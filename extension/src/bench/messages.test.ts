import { describe, expect, it } from 'vitest';
import { decodeSeries, float64, int32, uint8 } from './messages';

describe('binary parts of messages', () => {
  it('reads arrays that start at any byte', () => {
    const bytes = new Uint8Array(8 * 3 + 5);
    bytes.set(new Uint8Array(Float64Array.of(1, 2.5, -3).buffer), 5);
    expect([...float64(new DataView(bytes.buffer, 5))]).toEqual([1, 2.5, -3]);
  });

  it('does not copy what is aligned', () => {
    const whole = Int32Array.of(1, 2, 3, 4);
    expect(int32(new DataView(whole.buffer, 8)).buffer).toBe(whole.buffer);
    expect([...int32(new DataView(whole.buffer, 8))]).toEqual([3, 4]);
  });

  it('leaves out bytes that make no whole number', () => {
    expect(int32(new ArrayBuffer(7))).toHaveLength(1);
    expect([...uint8(Uint8Array.of(0, 255))]).toEqual([0, 255]);
  });
});

describe('series messages', () => {
  const steps = Float64Array.of(1, 2, 3, 10, 20);
  const values = Float32Array.of(5, 4, 3, 0.5, 0.25);
  const buffers = [steps.buffer, values.buffer];

  it('are cut into one part per key', () => {
    const parts = decodeSeries(
      [
        { key: 'loss', offset: 0, length: 3 },
        { key: 'val/loss', offset: 3, length: 2 }
      ],
      buffers
    );
    expect(parts.map(({ key, steps, values }) => [key, [...steps], [...values]])).toEqual([
      ['loss', [1, 2, 3], [5, 4, 3]],
      ['val/loss', [10, 20], [0.5, 0.25]]
    ]);
  });

  it('lose parts that point outside their buffers, and survive missing buffers', () => {
    expect(decodeSeries([{ key: 'loss', offset: 3, length: 3 }], buffers)).toEqual([]);
    expect(decodeSeries([{ key: 'loss', offset: -1, length: 2 }], buffers)).toEqual([]);
    expect(decodeSeries([{ key: 'loss', offset: 0, length: 1 }], [])).toEqual([]);
  });
});
