/** Every click is code: the Python line that does what the latest click did. */
import { useFeedback } from '../hooks';
import { CopyButton } from './parts';

export function CodeLine() {
  const { code } = useFeedback();
  return (
    <footer className="wb-codeline" data-testid="wb-codeline">
      <span className="wb-prompt" aria-hidden="true">
        &gt;&gt;&gt;
      </span>
      {code ? (
        <>
          <code className="wb-codeline-text" aria-label="Python for the latest action">
            {code}
          </code>
          <CopyButton label="Copy this line" text={() => code} />
        </>
      ) : (
        <span className="wb-codeline-hint">Every click is code: its Python line appears here.</span>
      )}
    </footer>
  );
}
