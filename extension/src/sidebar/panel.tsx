/** The sidebar as a Lumino widget: draws the list again when the runs change. */

import { ReactWidget, UseSignal } from '@jupyterlab/ui-components';
import type { ReactElement } from 'react';

import type { IRuns } from '../tokens';
import { RunList, type RunActions } from './list';

export class RunsPanel extends ReactWidget {
  constructor(
    private readonly runs: IRuns,
    private readonly actions: RunActions
  ) {
    super();
    this.addClass('jp-WorkbenchRuns');
  }

  /** Whether each run shows its small curve of the loss. */
  get showCurve(): boolean {
    return this._showCurve;
  }

  set showCurve(value: boolean) {
    this._showCurve = value;
    this.update();
  }

  protected override render(): ReactElement {
    return (
      <UseSignal signal={this.runs.changed}>
        {() => <RunList runs={this.runs.runs} showCurve={this._showCurve} actions={this.actions} />}
      </UseSignal>
    );
  }

  private _showCurve = true;
}
