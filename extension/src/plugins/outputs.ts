/** Renders bench outputs in notebooks: live where they can be, never "model not found". */

import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import type { NotebookPanel } from '@jupyterlab/notebook';
import { DisposableDelegate } from '@lumino/disposable';

import { BENCH_MIME } from '../output/bundle';
import { commsOf } from '../output/registry';
import { BenchRenderer } from '../output/renderer';

/** Before the widget view (rank -10) that every bench output carries for other front ends. */
const RANK = -20;

export const outputsPlugin: JupyterFrontEndPlugin<void> = {
  id: 'workbench-ml:outputs',
  description: 'Shows a bench live while it is alive in the kernel, and its picture otherwise.',
  autoStart: true,
  optional: [ITranslator],
  activate: (app: JupyterFrontEnd, translator: ITranslator | null) => {
    const trans = (translator ?? nullTranslator).load('workbench_ml');
    app.docRegistry.addWidgetExtension('Notebook', {
      createNew: (panel: NotebookPanel) => {
        const rendermime = panel.content.rendermime;
        const comms = commsOf(panel);
        rendermime.addFactory(
          {
            // A picture is shown, or a widget of the kernel that this very page started: both are safe.
            safe: true,
            mimeTypes: [BENCH_MIME],
            createRenderer: () =>
              new BenchRenderer({
                rendermime,
                comms,
                trans,
                goneText: trans.__('Run this cell to make it live.')
              })
          },
          RANK
        );
        return new DisposableDelegate(() => {
          rendermime.removeMimeType(BENCH_MIME);
        });
      }
    });
  }
};
