/** The left sidebar "Workbench": the runs alive in the open notebooks. */

import {
  ILayoutRestorer,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { INotebookTracker } from '@jupyterlab/notebook';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { CommandIDs } from '../commands';
import { workbenchIcon } from '../icons';
import { RunsPanel } from '../sidebar/panel';
import { IRuns, type LiveRun } from '../tokens';

export const sidebarPlugin: JupyterFrontEndPlugin<void> = {
  id: 'workbench-ml:sidebar',
  description: 'Adds the sidebar that lists the training runs alive in the open notebooks.',
  autoStart: true,
  requires: [IRuns, INotebookTracker],
  optional: [ITranslator, ILayoutRestorer, ISettingRegistry],
  activate: (
    app: JupyterFrontEnd,
    runs: IRuns,
    notebooks: INotebookTracker,
    translator: ITranslator | null,
    restorer: ILayoutRestorer | null,
    registry: ISettingRegistry | null
  ) => {
    const trans = (translator ?? nullTranslator).load('workbench_ml');
    const { commands } = app;
    const open = (run: LiveRun): void => {
      const args = { runId: run.runId };
      if (
        commands.hasCommand(CommandIDs.openBench) &&
        commands.isEnabled(CommandIDs.openBench, args)
      ) {
        void commands.execute(CommandIDs.openBench, args);
        return;
      }
      // A run that no bench shows, or a page without tabs (Notebook 7): go to its notebook.
      const panel = notebooks.find(notebook => notebook.context.path === run.path);
      if (panel !== undefined) {
        app.shell.activateById(panel.id);
      }
    };
    const panel = new RunsPanel(runs, {
      trans,
      open,
      command: (run, name) => {
        runs.command(run.runId, name);
      },
      create: () => {
        void commands.execute(CommandIDs.create);
      }
    });
    panel.id = 'workbench-runs';
    panel.title.icon = workbenchIcon;
    panel.title.caption = trans.__('Workbench');
    panel.node.setAttribute('role', 'region');
    panel.node.setAttribute('aria-label', trans.__('Workbench runs'));
    app.shell.add(panel, 'left', { rank: 501, type: 'Workbench' });
    restorer?.add(panel, panel.id);

    void registry
      ?.load(sidebarPlugin.id)
      .then(settings => {
        const read = (): void => {
          panel.showCurve = settings.composite.showCurve !== false;
        };
        settings.changed.connect(read);
        read();
      })
      .catch(() => undefined); // without its settings the sidebar keeps its defaults
  }
};
