/** What the states are called, and what the one big button does in each. */
import type { CommandName, RunState } from '../protocol';
import type { IconName } from '../shell/icons';

const STATES: Record<RunState, string> = {
  idle: 'Ready',
  running: 'Running',
  paused: 'Paused',
  stopped: 'Stopped',
  finished: 'Finished',
  failed: 'Failed'
};

export const stateWords = (state: RunState): string => STATES[state];

export interface Toggle {
  command: CommandName;
  label: string;
  icon: IconName;
}

export function toggleOf(state: RunState): Toggle {
  switch (state) {
    case 'running':
      return { command: 'pause', label: 'Pause', icon: 'pause' };
    case 'paused':
    case 'failed':
      return { command: 'resume', label: 'Resume', icon: 'play' };
    case 'idle':
      return { command: 'start', label: 'Train', icon: 'play' };
    case 'stopped':
    case 'finished':
      return { command: 'start', label: 'Train on', icon: 'play' };
  }
}
