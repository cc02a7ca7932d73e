/** The renderer of bench outputs in a notebook. */

import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';

import { readBundle } from './bundle';
import { BenchView } from './view';

export class BenchRenderer extends BenchView implements IRenderMime.IRenderer {
  /** JupyterLab calls this again when the output's picture was replaced. */
  renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    this.showOutput(readBundle(model.data));
    return Promise.resolve();
  }
}
