/**
 * What a kernel says on the comm "workbench.runs", and what may be said back.
 *
 * A kernel is another program and may be of another version: every message is read field by field,
 * and what does not fit is left out rather than believed.
 */

import type { JSONObject } from '@lumino/coreutils';

export const RUNS_TARGET = 'workbench.runs';

export type RunState = 'idle' | 'running' | 'paused' | 'stopped' | 'finished' | 'failed';
export type RunCommand = 'pause' | 'resume' | 'start' | 'stop';

/** One run, as the kernel describes it. */
export interface RunRow {
  readonly runId: string;
  readonly name: string;
  readonly state: RunState;
  readonly step: number;
  /** Steps to do in all, or null when the run has no end. */
  readonly stepsTotal: number | null;
  /** The latest loss, or null before the first step. */
  readonly loss: number | null;
  /** The loss so far, thinned out to a few dozen points. */
  readonly curve: readonly number[];
  /** Model id of the bench widget that shows this run, or null when none does. */
  readonly modelId: string | null;
}

const STATES: readonly string[] = ['idle', 'running', 'paused', 'stopped', 'finished', 'failed'];

/** The rows of a `{"kind": "runs"}` message, or null when the message is something else. */
export function readRuns(data: unknown): RunRow[] | null {
  if (!isObject(data) || data.kind !== 'runs' || !Array.isArray(data.runs)) {
    return null;
  }
  return data.runs.map(readRun).filter(row => row !== null);
}

export function hello(): JSONObject {
  return { kind: 'hello' };
}

export function command(runId: string, name: RunCommand): JSONObject {
  return { kind: 'command', run_id: runId, name };
}

/** The command that the one button of a run stands for in this state, or null when there is none. */
export function nextCommand(state: RunState): RunCommand | null {
  switch (state) {
    case 'running':
      return 'pause';
    case 'paused':
    case 'failed':
      return 'resume';
    case 'idle':
    case 'stopped':
      return 'start';
    case 'finished':
      return null;
  }
}

function readRun(row: unknown): RunRow | null {
  if (!isObject(row) || typeof row.run_id !== 'string' || row.run_id === '') {
    return null;
  }
  const state = typeof row.state === 'string' && STATES.includes(row.state) ? row.state : 'idle';
  return {
    runId: row.run_id,
    name: typeof row.name === 'string' && row.name !== '' ? row.name : row.run_id,
    state: state as RunState,
    step: number(row.step) ?? 0,
    stepsTotal: number(row.steps_total),
    loss: number(row.loss),
    curve: Array.isArray(row.curve) ? row.curve.map(value => number(value) ?? NaN) : [],
    modelId: typeof row.model_id === 'string' && row.model_id !== '' ? row.model_id : null
  };
}

function number(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
