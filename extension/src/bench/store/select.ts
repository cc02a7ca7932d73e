/** Safe defaults for traits that have not arrived yet. */
import type { Catalogue, Graph, History, Status } from '../protocol';

export const EMPTY_GRAPH: Graph = {
  version: 0,
  input: { id: 'input', name: 'input', shape: [], dtype: '' },
  output: 'input',
  nodes: []
};

export const EMPTY_CATALOGUE: Catalogue = { families: [] };
export const EMPTY_HISTORY: History = { edits: [], can_undo: false, can_redo: false };

export const EMPTY_STATUS: Status = {
  run_id: '',
  name: null,
  state: 'idle',
  step: 0,
  steps_total: null,
  epoch: 0,
  lr: 0,
  batch_size: 0,
  eta_s: null,
  steps_per_s: null,
  loss: null,
  metrics: {},
  error: null,
  device: '',
  seed: null,
  optimizer: '',
  loss_name: ''
};
