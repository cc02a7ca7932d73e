/** A bench in the page: live while its model lives in the kernel, else its picture and what to do. */

import { MimeModel, type IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { TranslationBundle } from '@jupyterlab/translation';
import { Panel, Widget } from '@lumino/widgets';

import type { WidgetComms } from './comms';
import { VIEW_MIME, viewData, type BenchOutput } from './bundle';

export interface BenchViewOptions {
  readonly rendermime: IRenderMimeRegistry;
  readonly comms: WidgetComms;
  readonly trans: TranslationBundle;
  /** The line shown when the model is gone. */
  readonly goneText: string;
}

export class BenchView extends Panel {
  constructor(private readonly options: BenchViewOptions) {
    super();
    this.addClass('jp-WorkbenchBench');
    options.comms.changed.connect(this.refresh, this);
  }

  /** Show this output. The live view stays untouched while the model is the same. */
  showOutput(output: BenchOutput): void {
    this._output = output;
    this.refresh();
  }

  override dispose(): void {
    if (!this.isDisposed) {
      this.options.comms.changed.disconnect(this.refresh, this);
      super.dispose();
    }
  }

  private refresh(): void {
    const output = this._output;
    if (this.isDisposed || output === null) {
      return;
    }
    const live = output.modelId !== '' && this.options.comms.has(output.modelId);
    if (live && this._live === output.modelId) {
      return;
    }
    this._live = live ? output.modelId : null;
    this.clear();
    this.toggleClass('jp-mod-live', live);
    this.addWidget(live ? this.liveView(output) : this.stillView(output));
  }

  private liveView(output: BenchOutput): Widget {
    const view = this.options.rendermime.createRenderer(VIEW_MIME);
    void view.renderModel(new MimeModel({ data: viewData(output.modelId), trusted: true }));
    return view;
  }

  private stillView(output: BenchOutput): Widget {
    const node = document.createElement('figure');
    node.className = 'jp-WorkbenchStill';
    if (output.picture !== null) {
      const picture = document.createElement('img');
      picture.src = `data:image/png;base64,${output.picture}`;
      picture.alt = output.text !== '' ? output.text : this.options.trans.__('Picture of a bench');
      node.append(picture);
    } else if (output.text !== '') {
      const text = document.createElement('pre');
      text.textContent = output.text;
      node.append(text);
    }
    const line = document.createElement('figcaption');
    line.textContent = this.options.goneText;
    node.append(line);
    return new Widget({ node });
  }

  private clear(): void {
    for (const child of [...this.widgets]) {
      child.dispose();
    }
  }

  private _output: BenchOutput | null = null;
  private _live: string | null = null;
}
