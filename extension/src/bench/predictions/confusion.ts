/** Reading a confusion matrix: rows are what is true, columns what was guessed. */

export interface Confusion {
  size: number;
  at: (truth: number, guess: number) => number;
  total: number;
  right: number;
  /** Part of each true class that was guessed right; null where there was none. */
  recall: (number | null)[];
  /** The most frequent mistakes, worst first. */
  worst: { truth: number; guess: number; count: number }[];
}

export function readConfusion(matrix: Int32Array, size: number): Confusion {
  const at = (truth: number, guess: number) => matrix[truth * size + guess] ?? 0;
  const recall: (number | null)[] = [];
  const worst: Confusion['worst'] = [];
  let total = 0;
  let right = 0;
  for (let truth = 0; truth < size; truth++) {
    let row = 0;
    for (let guess = 0; guess < size; guess++) {
      const n = at(truth, guess);
      row += n;
      if (guess !== truth && n > 0) {
        worst.push({ truth, guess, count: n });
      }
    }
    recall.push(row ? at(truth, truth) / row : null);
    total += row;
    right += at(truth, truth);
  }
  worst.sort((a, b) => b.count - a.count);
  return { size, at, total, right, recall, worst: worst.slice(0, 3) };
}
