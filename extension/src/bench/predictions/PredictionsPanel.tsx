/** Some test images with the network's guesses, and which classes it takes for which. */
import { useMemo } from 'react';
import { count, percent } from '../format';
import { useClasses, useSession, useTopic } from '../hooks';
import { usePalette } from '../shell/Theme';
import { css, type Palette } from '../theme';
import { type Confusion, readConfusion } from './confusion';
import { Tile } from './Tile';

export function PredictionsPanel() {
  const { store } = useSession();
  const palette = usePalette();
  const classes = useClasses();
  const version = useTopic('predictions');
  const shown = store.predictions;
  const matrix = useMemo(
    () =>
      version >= 0 && shown?.confusion.length
        ? readConfusion(shown.confusion, shown.classes)
        : null,
    [version, shown]
  );
  if (!shown) {
    return <p className="wb-empty">Guesses on test images appear here once training has begun.</p>;
  }
  const name = (index: number | undefined) =>
    index === undefined ? '' : (classes[index] ?? String(index));
  const right = shown.true.filter((truth, i) => truth === shown.guess[i]).length;
  return (
    <div className="wb-predictions" data-testid="wb-predictions">
      <section aria-label="Test images">
        <p className="wb-readout">
          <strong>Guesses</strong>
          <span className="wb-muted">
            {right} of {shown.n} right at step {count(shown.step)}; <b>✗</b> marks a mistake, with
            the truth after it
          </span>
        </p>
        {shown.pixels ? (
          <ul className="wb-tiles">
            {shown.true.map((truth, i) => (
              <Tile
                key={i}
                index={i}
                pixels={shown.pixels}
                channels={shown.channels}
                height={shown.height}
                width={shown.width}
                truth={name(truth)}
                guess={name(shown.guess[i])}
                probability={shown.prob[i] ?? 0}
                palette={palette}
              />
            ))}
          </ul>
        ) : (
          <p className="wb-muted">These examples are not images.</p>
        )}
      </section>
      {matrix && <Matrix matrix={matrix} name={name} palette={palette} />}
    </div>
  );
}

interface MatrixProps {
  matrix: Confusion;
  name: (index: number) => string;
  palette: Palette | null;
}

function Matrix({ matrix, name, palette }: MatrixProps) {
  const all = Array.from({ length: matrix.size }, (_, i) => i);
  const rows = all.map(truth => all.reduce((sum, guess) => sum + matrix.at(truth, guess), 0));
  const colour = (truth: number, guess: number) => {
    const part = matrix.at(truth, guess) / Math.max(1, rows[truth] ?? 1);
    if (!palette || part === 0) {
      return undefined;
    }
    return truth === guess
      ? css(palette.accentRgb, 0.12 + 0.5 * part)
      : css(palette.warnRgb, 0.25 + 0.6 * Math.min(1, 3 * part));
  };
  const worst = matrix.worst
    .map(({ truth, guess, count: n }) => `${name(truth)} taken for ${name(guess)} ${n}×`)
    .join(', ');
  return (
    <section className="wb-matrix" aria-label="Confusion matrix">
      <p className="wb-readout">
        <strong>Confusion</strong>
        <span className="wb-muted">
          {percent(matrix.right / Math.max(1, matrix.total))} of {count(matrix.total)} right
          {worst ? `; ${worst}` : ''}. Rows are true, columns guessed.
        </span>
      </p>
      <table data-testid="wb-confusion">
        <caption className="wb-hidden">
          Confusion matrix: rows are the true class, columns the guessed one.
        </caption>
        <thead>
          <tr>
            <td />
            {all.map(guess => (
              <th key={guess} scope="col">
                {name(guess)}
              </th>
            ))}
            <th scope="col" title="Part of the class guessed right">
              recall
            </th>
          </tr>
        </thead>
        <tbody>
          {all.map(truth => (
            <tr key={truth}>
              <th scope="row">{name(truth)}</th>
              {all.map(guess => {
                const n = matrix.at(truth, guess);
                return (
                  <td
                    key={guess}
                    data-diagonal={truth === guess || undefined}
                    style={{ background: colour(truth, guess) }}
                    title={`${name(truth)} guessed as ${name(guess)}: ${n}`}
                  >
                    {n || <span className="wb-zero">·</span>}
                  </td>
                );
              })}
              <td className="wb-recall">{percent(matrix.recall[truth], 0)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
