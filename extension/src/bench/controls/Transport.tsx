/** Play or pause, one step, stop. */
import { useSession, useStatusOf } from '../hooks';
import { Button } from '../shell/parts';
import { useToggle } from './useToggle';

export function Transport() {
  const session = useSession();
  const state = useStatusOf(status => status.state);
  const { act, icon, label } = useToggle();
  const running = state === 'running';
  return (
    <div className="wb-transport" role="group" aria-label="Training">
      <Button
        icon={icon}
        label={label}
        labelled
        look="primary"
        data-testid="wb-toggle"
        aria-keyshortcuts="Space"
        title={`${label} (space bar)`}
        onClick={() => void act()}
      />
      <Button
        icon="step"
        label="Train one step"
        data-testid="wb-step"
        disabled={running}
        onClick={() => void session.run('step')}
      />
      <Button
        icon="stop"
        label="Stop"
        data-testid="wb-stop"
        disabled={state !== 'running' && state !== 'paused' && state !== 'failed'}
        onClick={() => void session.run('stop')}
      />
    </div>
  );
}
