/** The head of the bench: state, transport, rate and batch, progress, numbers, trouble. */
import { useFeedback, useSession, useStatus } from '../hooks';
import { Refusal } from '../shell/parts';
import { NumberField } from './NumberField';
import { Numbers } from './Numbers';
import { Progress } from './Progress';
import { nudge, parseBatch, parseRate } from './rate';
import { Transport } from './Transport';
import { Trouble } from './Trouble';
import { stateWords } from './words';

export function Controls() {
  const session = useSession();
  const status = useStatus();
  const { problem } = useFeedback();
  const about = [status.optimizer, status.loss_name, status.device].filter(Boolean);
  if (status.seed != null) {
    about.push(`seed ${status.seed}`);
  }
  return (
    <header className="wb-head">
      <div className="wb-title">
        <span className="wb-state" data-state={status.state} data-testid="wb-state">
          <i aria-hidden="true" />
          {stateWords(status.state)}
        </span>
        <strong className="wb-name">{status.name}</strong>
        <span className="wb-muted wb-about">{about.join(' · ')}</span>
      </div>
      <div className="wb-deck">
        <Transport />
        <NumberField
          label="Learning rate"
          testid="wb-lr"
          value={status.lr}
          parse={parseRate}
          nudge={nudge}
          problem="A number ≥ 0, as 0.001 or 3e-4"
          send={lr => session.run('set_lr', { lr })}
        />
        {status.batch_size !== null && (
          <NumberField
            label="Batch"
            testid="wb-batch"
            value={status.batch_size}
            parse={parseBatch}
            nudge={(n, up) => (up ? n * 2 : Math.max(1, Math.floor(n / 2)))}
            problem="A whole number ≥ 1"
            send={size => session.run('set_batch_size', { batch_size: size })}
          />
        )}
      </div>
      <Numbers />
      <Progress />
      <Trouble />
      {problem && (
        <Refusal urgent onClose={() => session.refuse(null)}>
          {problem.message}
        </Refusal>
      )}
    </header>
  );
}
