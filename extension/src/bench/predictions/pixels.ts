/** From the bytes of a sample (channels, height, width) to what a canvas shows. */
import type { Rgb } from '../theme';

/**
 * One channel becomes ink on the paper of either theme (0 clear, 255 full); three are colours.
 */
export function toRgba(
  pixels: Uint8Array,
  index: number,
  channels: number,
  height: number,
  width: number,
  ink: Rgb
): Uint8ClampedArray<ArrayBuffer> {
  const plane = height * width;
  const start = index * channels * plane;
  const rgba = new Uint8ClampedArray(plane * 4);
  for (let i = 0; i < plane; i++) {
    const first = pixels[start + i] ?? 0;
    if (channels >= 3) {
      const [green, blue] = [pixels[start + plane + i] ?? 0, pixels[start + 2 * plane + i] ?? 0];
      rgba.set([first, green, blue, 255], i * 4);
    } else {
      rgba.set([...ink, first], i * 4);
    }
  }
  return rgba;
}
