/** Every command of the workbench, with its name, its icon and when it applies. */

import {
  ILabShell,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { IDefaultFileBrowser } from '@jupyterlab/filebrowser';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { runIcon, stopIcon } from '@jupyterlab/ui-components';

import { argsSchema, CommandIDs } from '../commands';
import { pauseIcon, workbenchIcon } from '../icons';
import type { RunCommand, RunState } from '../runs/protocol';
import { createStartNotebook } from '../start';
import { IRuns } from '../tokens';

export const commandsPlugin: JupyterFrontEndPlugin<void> = {
  id: 'workbench-ml:commands',
  description: 'Adds the workbench commands: a new start notebook; pause, resume and stop a run.',
  autoStart: true,
  requires: [IRuns],
  optional: [ITranslator, ICommandPalette, IDefaultFileBrowser, ILabShell],
  activate: (
    app: JupyterFrontEnd,
    runs: IRuns,
    translator: ITranslator | null,
    palette: ICommandPalette | null,
    files: IDefaultFileBrowser | null,
    shell: ILabShell | null
  ) => {
    const trans = (translator ?? nullTranslator).load('workbench_ml');
    const { commands } = app;
    const category = trans.__('Workbench');

    commands.addCommand(CommandIDs.create, {
      label: args => (args.isPalette === true ? trans.__('New workbench') : trans.__('Workbench')),
      caption: trans.__('Open a copy of the start notebook'),
      icon: workbenchIcon,
      describedBy: { args: argsSchema('cwd', 'isPalette') },
      execute: async args => {
        const folder = typeof args.cwd === 'string' ? args.cwd : (files?.model.path ?? '');
        const path = await createStartNotebook(app.serviceManager.contents, folder);
        await commands.execute('docmanager:open', { path });
      }
    });

    if (shell !== null) {
      commands.addCommand(CommandIDs.showRuns, {
        label: trans.__('Show the runs'),
        caption: trans.__('Open the sidebar with the runs alive in the open notebooks'),
        icon: workbenchIcon,
        describedBy: { args: argsSchema() },
        execute: () => {
          shell.activateById('workbench-runs');
        }
      });
      palette?.addItem({ command: CommandIDs.showRuns, category });
    }

    // Without a run id (from the palette) a command is about the only run that it applies to.
    const target = (args: { runId?: unknown }, states: readonly RunState[]): string | null => {
      const fit = runs.runs.filter(run => states.includes(run.state));
      if (typeof args.runId === 'string') {
        return fit.some(run => run.runId === args.runId) ? args.runId : null;
      }
      return fit.length === 1 ? (fit[0]?.runId ?? null) : null;
    };
    const add = (
      id: string,
      name: RunCommand,
      states: readonly RunState[],
      label: string,
      caption: string,
      icon: typeof runIcon
    ): void => {
      commands.addCommand(id, {
        label,
        caption,
        icon,
        describedBy: { args: argsSchema('runId') },
        isEnabled: args => target(args, states) !== null,
        execute: args => {
          const runId = target(args, states);
          return runId !== null && runs.command(runId, name);
        }
      });
      palette?.addItem({ command: id, category });
    };
    add(
      CommandIDs.start,
      'start',
      ['idle', 'stopped'],
      trans.__('Start the run'),
      trans.__('Start training'),
      runIcon
    );
    add(
      CommandIDs.pause,
      'pause',
      ['running'],
      trans.__('Pause the run'),
      trans.__('Pause training after the present step'),
      pauseIcon
    );
    add(
      CommandIDs.resume,
      'resume',
      ['paused', 'failed'],
      trans.__('Resume the run'),
      trans.__('Go on training'),
      runIcon
    );
    add(
      CommandIDs.stop,
      'stop',
      ['running', 'paused', 'failed'],
      trans.__('Stop the run'),
      trans.__('Stop training for good'),
      stopIcon
    );

    palette?.addItem({ command: CommandIDs.create, category, args: { isPalette: true } });
    runs.changed.connect(() => {
      commands.notifyCommandChanged();
    });
  }
};
