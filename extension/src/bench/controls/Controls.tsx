/** The head of the bench: state, transport, rate and batch, progress, numbers, trouble. */
import { useFeedback, useSession, useStatusOf } from '../hooks';
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
  const state = useStatusOf(status => status.state);
  const name = useStatusOf(status => status.name);
  const lr = useStatusOf(status => status.lr);
  const batch = useStatusOf(status => status.batch_size);
  const about = useStatusOf(({ optimizer, loss_name, device, seed }) =>
    [optimizer, loss_name, device, seed === null ? '' : `seed ${seed}`].filter(Boolean).join(' · ')
  );
  const { problem } = useFeedback();
  return (
    <header className="wb-head">
      <div className="wb-title">
        <span className="wb-state" data-state={state} data-testid="wb-state">
          <i aria-hidden="true" />
          {stateWords(state)}
        </span>
        <strong className="wb-name">{name}</strong>
        <span className="wb-muted wb-about">{about}</span>
      </div>
      <div className="wb-deck">
        <Transport />
        <NumberField
          label="Learning rate"
          testid="wb-lr"
          value={lr}
          parse={parseRate}
          nudge={nudge}
          problem="A number ≥ 0, as 0.001 or 3e-4"
          send={rate => session.run('set_lr', { lr: rate })}
        />
        {batch !== null && (
          <NumberField
            label="Batch"
            testid="wb-batch"
            value={batch}
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
