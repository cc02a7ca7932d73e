/** Turns the binary parts of messages into typed arrays, whatever their alignment. */

export type Binary = DataView | ArrayBuffer | ArrayBufferView;

function parts(binary: Binary): { buffer: ArrayBufferLike; offset: number; bytes: number } {
  return ArrayBuffer.isView(binary)
    ? { buffer: binary.buffer, offset: binary.byteOffset, bytes: binary.byteLength }
    : { buffer: binary, offset: 0, bytes: binary.byteLength };
}

/** A buffer inside a larger message may start at any byte; typed arrays want multiples of their size. */
function aligned(binary: Binary, size: number): [ArrayBufferLike, number, number] {
  const { buffer, offset, bytes } = parts(binary);
  const count = Math.floor(bytes / size);
  return offset % size === 0
    ? [buffer, offset, count]
    : [buffer.slice(offset, offset + count * size), 0, count];
}

export const float64 = (binary: Binary): Float64Array => new Float64Array(...aligned(binary, 8));
export const float32 = (binary: Binary): Float32Array => new Float32Array(...aligned(binary, 4));
export const int32 = (binary: Binary): Int32Array => new Int32Array(...aligned(binary, 4));
export const uint8 = (binary: Binary): Uint8Array => new Uint8Array(...aligned(binary, 1));

export interface SeriesPart {
  key: string;
  steps: Float64Array;
  values: Float32Array;
}

/** Cuts the two concatenated buffers of a series message into one part per key. */
export function decodeSeries(
  series: { key: string; offset: number; length: number }[],
  buffers: readonly Binary[]
): SeriesPart[] {
  const [first, second] = buffers;
  if (!first || !second) {
    return [];
  }
  const steps = float64(first);
  const values = float32(second);
  const size = Math.min(steps.length, values.length);
  return series
    .filter(({ offset, length }) => offset >= 0 && length > 0 && offset + length <= size)
    .map(({ key, offset, length }) => ({
      key,
      steps: steps.subarray(offset, offset + length),
      values: values.subarray(offset, offset + length)
    }));
}
