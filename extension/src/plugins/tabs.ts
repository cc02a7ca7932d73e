/** Opens a bench in a tab of the main area, beside its notebook. */

import {
  ILabShell,
  ILayoutRestorer,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { MainAreaWidget, WidgetTracker } from '@jupyterlab/apputils';
import { INotebookTracker, type NotebookPanel } from '@jupyterlab/notebook';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { argsSchema, CommandIDs } from '../commands';
import { workbenchIcon } from '../icons';
import { commsOf } from '../output/registry';
import { BenchTab } from '../output/tab';
import { place, target, type Target } from '../output/target';
import { IRuns } from '../tokens';

export const tabsPlugin: JupyterFrontEndPlugin<void> = {
  id: 'workbench-ml:tabs',
  description: 'Opens a bench in a tab of the main area.',
  autoStart: true,
  requires: [INotebookTracker, IRuns],
  optional: [ILabShell, ITranslator, ILayoutRestorer, ISettingRegistry],
  activate: (
    app: JupyterFrontEnd,
    notebooks: INotebookTracker,
    runs: IRuns,
    shell: ILabShell | null,
    translator: ITranslator | null,
    restorer: ILayoutRestorer | null,
    registry: ISettingRegistry | null
  ) => {
    if (shell === null) {
      return; // Notebook 7 shows one document to a page and has no place for tabs
    }
    const trans = (translator ?? nullTranslator).load('workbench_ml');
    const tracker = new WidgetTracker<MainAreaWidget<BenchTab>>({ namespace: 'workbench-bench' });
    const settings = registry?.load(tabsPlugin.id).catch(() => null);

    const notebookAt = async (path: string): Promise<NotebookPanel | null> => {
      const find = (): NotebookPanel | null =>
        notebooks.find(panel => panel.context.path === path) ?? null;
      if (find() === null) {
        await app.commands.execute('docmanager:open', { path });
      }
      return find();
    };

    const open = async (bench: Target): Promise<void> => {
      const present = tracker.find(tab => tab.content.modelId === bench.modelId);
      if (present !== undefined) {
        shell.activateById(present.id);
        return;
      }
      const panel = await notebookAt(bench.path);
      if (panel === null) {
        return;
      }
      const content = new BenchTab(bench, {
        rendermime: panel.content.rendermime,
        comms: commsOf(panel),
        trans,
        goneText: trans.__('This bench is no longer alive. Run its cell, then open it again.')
      });
      const tab = new MainAreaWidget({ content });
      tab.id = `workbench-bench-${bench.modelId}`;
      tab.toolbar.hide();
      tab.title.label = bench.name;
      tab.title.caption = trans.__('Bench “%1” of %2', bench.name, bench.path);
      tab.title.icon = workbenchIcon;
      // A bench lives in its notebook's kernel connection and goes with it.
      const close = (): void => {
        tab.dispose();
      };
      panel.disposed.connect(close);
      tab.disposed.connect(() => {
        panel.disposed.disconnect(close);
      });
      void tracker.add(tab);
      shell.add(tab, 'main', { mode: place((await settings)?.composite.openMode), ref: panel.id });
      shell.activateById(tab.id);
    };

    app.commands.addCommand(CommandIDs.openBench, {
      label: trans.__('Open the bench in a tab'),
      caption: trans.__('Show the bench of a run beside its notebook'),
      icon: workbenchIcon,
      describedBy: { args: argsSchema('runId', 'path', 'modelId', 'name') },
      isEnabled: args => target(args, runs) !== null,
      execute: async args => {
        const bench = target(args, runs);
        if (bench !== null) {
          await open(bench);
        }
      }
    });

    void restorer?.restore(tracker, {
      command: CommandIDs.openBench,
      args: tab => ({ ...tab.content.target }),
      name: tab => tab.content.modelId
    });
  }
};
