/** Tells screen readers what changed: the run's state and the latest edit, politely. */
import { useFeedback, useStatusOf } from '../hooks';
import { stateWords } from '../controls/words';
import { Hidden } from './parts';

export function Announcer() {
  const { spoken } = useFeedback();
  const state = useStatusOf(status => status.state);
  const error = useStatusOf(status => status.error?.message ?? null);
  return (
    <Hidden>
      <span role="status" aria-live="polite" data-testid="wb-announcer">
        {stateWords(state)}
        {error ? `. ${error}` : ''}
      </span>
      <span role="status" aria-live="polite">
        {spoken}
      </span>
    </Hidden>
  );
}
