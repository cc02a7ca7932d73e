import { Signal } from '@lumino/signaling';
import { expect, it } from 'vitest';

import { RunsModel, type IRunSource } from './model';
import type { RunCommand, RunRow } from './protocol';

class FakeSource implements IRunSource {
  readonly changed = new Signal<this, void>(this);
  readonly sent: [string, RunCommand][] = [];
  isDisposed = false;

  constructor(public runs: RunRow[]) {}

  command(runId: string, name: RunCommand): boolean {
    this.sent.push([runId, name]);
    return true;
  }

  dispose(): void {
    this.isDisposed = true;
  }
}

const run = (runId: string): RunRow => ({
  runId,
  name: runId,
  state: 'running',
  step: 0,
  stepsTotal: null,
  loss: null,
  curve: [],
  modelId: null
});

it('lists the runs of all sources with the present path of each', () => {
  const model = new RunsModel();
  let path = 'a.ipynb';
  model.add(new FakeSource([run('1')]), () => path);
  model.add(new FakeSource([run('2'), run('3')]), () => 'b.ipynb');
  path = 'renamed.ipynb';
  expect(model.runs.map(r => [r.runId, r.path])).toEqual([
    ['1', 'renamed.ipynb'],
    ['2', 'b.ipynb'],
    ['3', 'b.ipynb']
  ]);
  expect(model.find('2')?.path).toBe('b.ipynb');
  expect(model.find('9')).toBeUndefined();
});

it('says when anything changed, and no more once a source is removed', () => {
  const model = new RunsModel();
  const source = new FakeSource([]);
  let times = 0;
  model.changed.connect(() => (times += 1));
  model.add(source, () => 'a');
  source.changed.emit();
  expect(times).toBe(2);
  model.remove(source);
  expect(source.isDisposed).toBe(true);
  source.changed.emit();
  model.remove(source);
  expect(times).toBe(3);
  expect(model.runs).toEqual([]);
});

it('sends a command to the kernel that holds the run', () => {
  const model = new RunsModel();
  const [one, two] = [new FakeSource([run('1')]), new FakeSource([run('2')])];
  model.add(one, () => 'a');
  model.add(two, () => 'b');
  expect(model.command('2', 'pause')).toBe(true);
  expect(one.sent).toEqual([]);
  expect(two.sent).toEqual([['2', 'pause']]);
  expect(model.command('gone', 'pause')).toBe(false);
});

it('disposes of its sources', () => {
  const model = new RunsModel();
  const source = new FakeSource([]);
  model.add(source, () => 'a');
  model.dispose();
  model.dispose();
  expect(model.isDisposed).toBe(true);
  expect(source.isDisposed).toBe(true);
});
