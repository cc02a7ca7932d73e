import { describe, expect, it } from 'vitest';

import { command, nextCommand, readRuns } from './protocol';

const row = {
  run_id: 'a',
  name: 'digits',
  state: 'running',
  step: 7,
  steps_total: 100,
  loss: 0.5,
  curve: [2, 1, 0.5],
  model_id: 'm'
};

describe('readRuns', () => {
  it('reads every field of a row', () => {
    expect(readRuns({ kind: 'runs', runs: [row] })).toEqual([
      {
        runId: 'a',
        name: 'digits',
        state: 'running',
        step: 7,
        stepsTotal: 100,
        loss: 0.5,
        curve: [2, 1, 0.5],
        modelId: 'm'
      }
    ]);
  });

  it('says null to what is no list of runs', () => {
    for (const data of [null, 3, 'runs', [], {}, { kind: 'hello' }, { kind: 'runs', runs: {} }]) {
      expect(readRuns(data)).toBeNull();
    }
  });

  it('leaves out rows without an id and doubts the rest field by field', () => {
    const odd = { run_id: 'b', name: 4, state: 'dancing', step: 'x', curve: 'y', loss: null };
    expect(readRuns({ kind: 'runs', runs: [null, {}, { run_id: '' }, odd] })).toEqual([
      {
        runId: 'b',
        name: 'b',
        state: 'idle',
        step: 0,
        stepsTotal: null,
        loss: null,
        curve: [],
        modelId: null
      }
    ]);
  });

  it('turns gaps in a curve into NaN, so that the line breaks there', () => {
    const runs = readRuns({ kind: 'runs', runs: [{ ...row, curve: [1, null, 2] }] });
    expect(runs?.[0]?.curve).toEqual([1, NaN, 2]);
  });
});

it('offers the one command that makes sense in each state', () => {
  expect(nextCommand('running')).toBe('pause');
  expect(nextCommand('paused')).toBe('resume');
  expect(nextCommand('failed')).toBe('resume');
  expect(nextCommand('idle')).toBe('start');
  expect(nextCommand('stopped')).toBe('start');
  expect(nextCommand('finished')).toBeNull();
});

it('names the run in a command', () => {
  expect(command('a', 'pause')).toEqual({ kind: 'command', run_id: 'a', name: 'pause' });
});
