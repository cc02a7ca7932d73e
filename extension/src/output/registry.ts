/** One `WidgetComms` per notebook, shared by its outputs and its tabs, gone with the notebook. */

import type { NotebookPanel } from '@jupyterlab/notebook';
import { AttachedProperty } from '@lumino/properties';

import { WidgetComms } from './comms';

const property = new AttachedProperty<NotebookPanel, WidgetComms>({
  name: 'workbenchComms',
  create: panel => {
    const comms = new WidgetComms(panel.sessionContext);
    panel.disposed.connect(() => {
      comms.dispose();
    });
    return comms;
  }
});

export function commsOf(panel: NotebookPanel): WidgetComms {
  return property.get(panel);
}
