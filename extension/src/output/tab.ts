/** The content of a bench's own tab. */

import type { Target } from './target';
import { BenchView, type BenchViewOptions } from './view';

export class BenchTab extends BenchView {
  constructor(
    readonly target: Target,
    options: BenchViewOptions
  ) {
    super(options);
    this.addClass('jp-WorkbenchTab');
    this.showOutput({ modelId: target.modelId, picture: null, text: '' });
  }

  get modelId(): string {
    return this.target.modelId;
  }
}
