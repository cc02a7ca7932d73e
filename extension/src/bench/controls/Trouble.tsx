/** What went wrong in training, where, and the way on. */
import { count } from '../format';
import { useGraph, useSession, useStatus, useStatusOf } from '../hooks';
import { Icon } from '../shell/icons';
import { Button } from '../shell/parts';

export function Trouble() {
  return useStatusOf(status => status.state === 'failed' && status.error !== null) ? (
    <Panel />
  ) : null;
}

function Panel() {
  const session = useSession();
  const { error } = useStatus();
  const { nodes } = useGraph();
  if (!error) {
    return null;
  }
  const layer = nodes.find(node => node.id === error.layer)?.name ?? error.layer;
  const where = [
    layer && `in layer ${layer}`,
    error.step != null && `at step ${count(error.step)}`
  ];
  return (
    <div className="wb-trouble" role="alert" data-testid="wb-trouble">
      <Icon name="alert" />
      <div>
        <strong>
          {error.kind} {where.filter(Boolean).join(' ')}
        </strong>
        <p>{error.message}</p>
        <p className="wb-muted">
          Training is paused as it was after the last good step. Lower the learning rate, change or
          undo a layer, then resume.
        </p>
      </div>
      <div className="wb-trouble-ways">
        <Button icon="undo" label="Undo edit" labelled onClick={() => void session.run('undo')} />
        <Button
          icon="play"
          label="Resume"
          labelled
          look="primary"
          data-testid="wb-resume"
          onClick={() => void session.run('resume')}
        />
      </div>
    </div>
  );
}
