/** The launcher card "Workbench". */

import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ILauncher } from '@jupyterlab/launcher';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { CommandIDs } from '../commands';
import { cardPicture } from '../icons';

export const launcherPlugin: JupyterFrontEndPlugin<void> = {
  id: 'workbench-ml:launcher',
  description: 'Adds a card to the launcher that opens a copy of the start notebook.',
  autoStart: true,
  optional: [ILauncher, ITranslator],
  activate: (_app: JupyterFrontEnd, launcher: ILauncher | null, translator: ITranslator | null) => {
    if (launcher === null) {
      return; // Notebook 7 has no launcher
    }
    const trans = (translator ?? nullTranslator).load('workbench_ml');
    launcher.add({
      command: CommandIDs.create,
      category: trans.__('Notebook'),
      kernelIconUrl: cardPicture,
      rank: 10
    });
  }
};
