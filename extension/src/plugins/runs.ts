/** Follows the runs in the kernels of all open notebooks. */

import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { INotebookTracker, type NotebookPanel } from '@jupyterlab/notebook';

import { KernelRuns } from '../runs/kernel';
import { RunsModel } from '../runs/model';
import { IRuns } from '../tokens';

export const runsPlugin: JupyterFrontEndPlugin<IRuns> = {
  id: 'workbench-ml:runs',
  description: 'Follows the training runs in the kernels of the open notebooks.',
  autoStart: true,
  requires: [INotebookTracker],
  provides: IRuns,
  activate: (_app: JupyterFrontEnd, notebooks: INotebookTracker): IRuns => {
    const model = new RunsModel();
    const follow = (panel: NotebookPanel): void => {
      const source = new KernelRuns(panel.sessionContext);
      model.add(source, () => panel.context.path);
      panel.disposed.connect(() => {
        model.remove(source);
      });
    };
    notebooks.forEach(follow);
    notebooks.widgetAdded.connect((_, panel) => {
      follow(panel);
    });
    return model;
  }
};
