/** Tells screen readers what changed: the run's state and the latest edit, politely. */
import { useFeedback, useStatus } from '../hooks';
import { stateWords } from '../controls/words';
import { Hidden } from './parts';

export function Announcer() {
  const { spoken } = useFeedback();
  const { state, error } = useStatus();
  return (
    <Hidden>
      <span role="status" aria-live="polite" data-testid="wb-announcer">
        {stateWords(state)}
        {error ? `. ${error.message}` : ''}
      </span>
      <span role="status" aria-live="polite">
        {spoken}
      </span>
    </Hidden>
  );
}
