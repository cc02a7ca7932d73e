/**
 * What the kernel and the browser say to each other: the synced traits and the custom messages.
 *
 * The Python side of the same agreement lives in `workbench/widgets/`.
 */

export type RunState = 'idle' | 'running' | 'paused' | 'stopped' | 'finished' | 'failed';

export type ArgValue = string | number | boolean | null | number[];
export type Args = Record<string, ArgValue>;

export interface GraphNode {
  id: string;
  name: string;
  type: string;
  family: string;
  args: Args;
  inputs: string[];
  shape: number[];
  parameters: number;
  flops: number;
  frozen: boolean;
  /** Whether it leads to the output; others are not computed. */
  live?: boolean;
  repr: string;
  configurable: boolean;
}

export interface Graph {
  version: number;
  input: { id: string; name: string; shape: number[]; dtype: string };
  output: string;
  nodes: GraphNode[];
}

export type ParamKind = 'int' | 'float' | 'bool' | 'text' | 'choice' | 'ints';

export interface Param {
  name: string;
  kind: ParamKind;
  default?: ArgValue;
  required?: boolean;
  /** Worked out from the incoming shape; shown, not asked for. */
  inferred?: boolean;
  /** None is a value of its own, written as an empty field. */
  nullable?: boolean;
  min?: number | null;
  max?: number | null;
  choices?: (string | number)[] | null;
  doc?: string;
}

export interface LayerType {
  type: string;
  doc: string;
  /** How many inputs the layer joins: 1 for most, 2 for Add and Concat. */
  inputs: number;
  params: Param[];
}

export interface Catalogue {
  families: { name: string; layers: LayerType[] }[];
}

export interface LayerSpec {
  type: string;
  args: Args;
}

/** Leave to remake the layers after the edit so that they fit. */
interface Fit {
  adapt?: boolean;
}

export type Edit =
  | ({
      op: 'insert';
      layer: LayerSpec;
      after?: string;
      before?: string;
      name: string | null;
      seed: null;
    } & Fit)
  | { op: 'append'; layer: LayerSpec; name: string | null }
  | ({ op: 'remove'; layer: string } & Fit)
  | ({ op: 'replace'; layer: string; with: LayerSpec } & Fit)
  | { op: 'rename'; layer: string; name: string }
  | { op: 'freeze'; layer: string; frozen: boolean }
  | ({ op: 'rewire'; layer: string; inputs: string[] } & Fit);

export interface Preview {
  ok: boolean;
  code: string;
  label: string;
  parameters: [number, number];
  flops: [number, number];
  shapes: Record<string, number[]>;
  changes: string[];
  /** Replaced layers whose weights stay. */
  kept?: string[];
  delta: number | null;
}

export interface HistoryEntry {
  seq: number;
  label: string;
  code: string;
  state: 'applied' | 'undone';
  step: number | null;
}

export interface History {
  edits: HistoryEntry[];
  can_undo: boolean;
  can_redo: boolean;
}

export interface RunError {
  kind: string;
  message: string;
  layer: string | null;
  step: number | null;
}

export interface Status {
  run_id: string;
  name: string | null;
  state: RunState;
  step: number;
  steps_total: number | null;
  epoch: number;
  lr: number;
  batch_size: number | null;
  eta_s: number | null;
  steps_per_s: number | null;
  loss: number | null;
  metrics: Record<string, number | null>;
  error: RunError | null;
  device: string;
  seed: number | null;
  optimizer: string;
  loss_name: string;
}

export interface Mark {
  step: number;
  kind: 'edit' | 'lr' | 'error';
  label: string;
}

export interface Traits {
  graph: Graph;
  catalogue: Catalogue;
  classes: string[];
  history: History;
  status: Status;
  layout: { theme?: 'auto' | 'light' | 'dark' };
}

export interface SeriesMessage {
  kind: 'series';
  reset: boolean;
  series: { key: string; offset: number; length: number }[];
}

export interface MarksMessage {
  kind: 'marks';
  marks: Mark[];
}

export interface PredictionsMessage {
  kind: 'predictions';
  step: number;
  n: number;
  channels: number;
  height: number;
  width: number;
  true: number[];
  guess: number[];
  prob: number[];
  classes: number;
  images: boolean;
}

export interface ReplyMessage {
  kind: 'reply';
  id: string;
  ok: boolean;
  result?: unknown;
  error?: { type: string; message: string; layer?: string | null } | null;
}

export type Incoming = SeriesMessage | MarksMessage | PredictionsMessage | ReplyMessage;

export type CommandName =
  | 'start'
  | 'pause'
  | 'resume'
  | 'step'
  | 'stop'
  | 'set_lr'
  | 'set_batch_size'
  | 'check_edit'
  | 'edit'
  | 'undo'
  | 'redo'
  | 'script'
  | 'code';

/** The part of an anywidget model that the bench uses (a fake one drives the harness and tests). */
export interface BenchModel {
  get<K extends keyof Traits>(key: K): Traits[K] | undefined;
  on(event: string, callback: (...args: never[]) => void): void;
  off(event: string, callback: (...args: never[]) => void): void;
  send(content: unknown): void;
}
