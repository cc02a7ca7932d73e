/** The mime types of a bench's output, and how to read them. */

import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';

export const BENCH_MIME = 'application/vnd.workbench.bench+json';
export const VIEW_MIME = 'application/vnd.jupyter.widget-view+json';
export const PICTURE_MIME = 'image/png';
export const TEXT_MIME = 'text/plain';

/** What one output says: the live model it stands for, and what to show without it. */
export interface BenchOutput {
  readonly modelId: string;
  /** Base64 of a PNG, or null. */
  readonly picture: string | null;
  /** What the picture shows, in words. */
  readonly text: string;
}

export function readBundle(data: ReadonlyPartialJSONObject): BenchOutput {
  const bench = data[BENCH_MIME];
  const id =
    typeof bench === 'object' && bench !== null && 'model_id' in bench ? bench.model_id : '';
  const picture = data[PICTURE_MIME];
  return {
    modelId: typeof id === 'string' ? id : '',
    picture: typeof picture === 'string' && picture !== '' ? picture.replace(/\s/g, '') : null,
    text: joined(data[TEXT_MIME])
  };
}

/** The data of a widget-view output for this model. */
export function viewData(modelId: string): ReadonlyPartialJSONObject {
  return { [VIEW_MIME]: { model_id: modelId, version_major: 2, version_minor: 1 } };
}

function joined(text: unknown): string {
  return Array.isArray(text) ? text.join('') : typeof text === 'string' ? text : '';
}
