/** Pictures of digits for the harness: a pixel font, shifted, blurred and roughened a little. */

const FONT = [
  '0111011001100110011001101110',
  '0010011000100010001000100111',
  '0110100100010010010010001111',
  '1110000100010110000100011110',
  '0010011010101010111100100010',
  '1111100011100001000110010110',
  '0110100010001110100110010110',
  '1111000100100010010001000100',
  '0110100110010110100110010110',
  '0110100110010111000100010110'
];

/** One image of 8 × 8 bytes. */
export function digit(label: number, random: () => number): Uint8Array {
  const image = new Float32Array(64);
  const bits = FONT[label] ?? '';
  const left = 1 + Math.floor(random() * 3);
  for (let y = 0; y < 7; y++) {
    for (let x = 0; x < 4; x++) {
      if (bits[y * 4 + x] === '1') {
        const at = y * 8 + x + left;
        image[at] = 1;
        image[at + 1] = Math.max(image[at + 1] ?? 0, 0.35 * random());
        image[at - 1] = Math.max(image[at - 1] ?? 0, 0.35 * random());
      }
    }
  }
  return Uint8Array.from(image, v => Math.round(255 * Math.min(1, v * (0.6 + 0.4 * random()))));
}

/** Reproducible numbers in 0…1 (mulberry32). */
export function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
