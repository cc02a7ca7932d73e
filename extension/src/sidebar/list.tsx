/** The list of runs: name, state, step, loss and a small curve; one press pauses or goes on. */

import { PathExt } from '@jupyterlab/coreutils';
import { addIcon, runIcon, type LabIcon } from '@jupyterlab/ui-components';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { ReactElement } from 'react';

import { pauseIcon } from '../icons';
import { nextCommand, type RunCommand, type RunState } from '../runs/protocol';
import { shortNumber } from '../runs/sparkline';
import type { LiveRun } from '../tokens';
import { Curve } from './curve';

/** What the list can do, and how it says things. */
export interface RunActions {
  readonly trans: TranslationBundle;
  readonly open: (run: LiveRun) => void;
  readonly command: (run: LiveRun, name: RunCommand) => void;
  readonly create: () => void;
}

interface ListProps {
  readonly runs: readonly LiveRun[];
  readonly showCurve: boolean;
  readonly actions: RunActions;
}

export function RunList({ runs, showCurve, actions }: ListProps): ReactElement {
  const { trans } = actions;
  return (
    <>
      <header className="jp-WorkbenchRuns-header">
        <h2>{trans.__('Runs')}</h2>
        <IconButton icon={addIcon} label={trans.__('New workbench')} onClick={actions.create} />
      </header>
      {runs.length === 0 ? (
        <div className="jp-WorkbenchRuns-empty">
          <p>{trans.__('No run is alive in the open notebooks.')}</p>
          <p>{trans.__('Start one in a notebook, or open the start notebook.')}</p>
          <button className="jp-mod-styled jp-mod-accept" onClick={actions.create}>
            {trans.__('New workbench')}
          </button>
        </div>
      ) : (
        <ul className="jp-WorkbenchRuns-list" aria-label={trans.__('Runs')}>
          {runs.map(run => (
            <RunItem key={run.runId} run={run} showCurve={showCurve} actions={actions} />
          ))}
        </ul>
      )}
    </>
  );
}

interface ItemProps {
  readonly run: LiveRun;
  readonly showCurve: boolean;
  readonly actions: RunActions;
}

function RunItem({ run, showCurve, actions }: ItemProps): ReactElement {
  const { trans } = actions;
  const next = nextCommand(run.state);
  return (
    <li className="jp-WorkbenchRun" data-state={run.state}>
      <button
        className="jp-WorkbenchRun-open"
        title={trans.__('Open the bench of “%1” in %2', run.name, run.path)}
        onClick={() => {
          actions.open(run);
        }}
      >
        <span className="jp-WorkbenchRun-name">{run.name}</span>
        <span className="jp-WorkbenchRun-state">{stateText(run.state, trans)}</span>
        <span className="jp-WorkbenchRun-facts">{facts(run, trans)}</span>
        <span className="jp-WorkbenchRun-path">{PathExt.basename(run.path)}</span>
        {showCurve && <Curve values={run.curve} trans={trans} />}
      </button>
      {next !== null && (
        <IconButton
          icon={next === 'pause' ? pauseIcon : runIcon}
          label={commandText(next, run.name, trans)}
          onClick={() => {
            actions.command(run, next);
          }}
        />
      )}
    </li>
  );
}

interface IconButtonProps {
  readonly icon: LabIcon;
  readonly label: string;
  readonly onClick: () => void;
}

function IconButton({ icon, label, onClick }: IconButtonProps): ReactElement {
  return (
    <button
      className="jp-WorkbenchRuns-icon jp-mod-minimal"
      title={label}
      aria-label={label}
      onClick={onClick}
    >
      <icon.react tag="span" elementSize="normal" />
    </button>
  );
}

function facts(run: LiveRun, trans: TranslationBundle): string {
  const step =
    run.stepsTotal === null
      ? trans.__('step %1', run.step)
      : trans.__('step %1 of %2', run.step, run.stepsTotal);
  return run.loss === null ? step : `${step} · ${trans.__('loss %1', shortNumber(run.loss))}`;
}

function stateText(state: RunState, trans: TranslationBundle): string {
  switch (state) {
    case 'idle':
      return trans.__('not started');
    case 'running':
      return trans.__('training');
    case 'paused':
      return trans.__('paused');
    case 'stopped':
      return trans.__('stopped');
    case 'finished':
      return trans.__('finished');
    case 'failed':
      return trans.__('failed');
  }
}

function commandText(name: RunCommand, run: string, trans: TranslationBundle): string {
  switch (name) {
    case 'pause':
      return trans.__('Pause “%1”', run);
    case 'resume':
      return trans.__('Resume “%1”', run);
    case 'start':
      return trans.__('Start “%1”', run);
    case 'stop':
      return trans.__('Stop “%1”', run);
  }
}
