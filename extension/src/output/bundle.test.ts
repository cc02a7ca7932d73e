import { expect, it } from 'vitest';

import { BENCH_MIME, readBundle, VIEW_MIME, viewData } from './bundle';
import { place, target } from './target';

it('reads the model, the picture and the words of an output', () => {
  expect(
    readBundle({
      [BENCH_MIME]: { model_id: 'm', version: 1 },
      'image/png': 'QUJD\nREVG\n',
      'text/plain': ['Bench', '(digits)']
    })
  ).toEqual({ modelId: 'm', picture: 'QUJDREVG', text: 'Bench(digits)' });
});

it('makes do with less', () => {
  expect(readBundle({ [BENCH_MIME]: null })).toEqual({ modelId: '', picture: null, text: '' });
  expect(readBundle({ [BENCH_MIME]: { model_id: 4 }, 'image/png': 5 }).modelId).toBe('');
});

it('asks for a widget view of the model', () => {
  expect(viewData('m')[VIEW_MIME]).toMatchObject({ model_id: 'm', version_major: 2 });
});

it('knows a bench by its run, or by path and model', () => {
  const run = { path: 'a.ipynb', modelId: 'm', name: 'digits' };
  const runs = { find: (id: string) => (id === 'r' ? (run as never) : undefined) };
  expect(target({ runId: 'r' }, runs)).toEqual(run);
  expect(target({ runId: 'gone' }, runs)).toBeNull();
  expect(target({ path: 'b.ipynb', modelId: 'n' }, runs)).toEqual({
    path: 'b.ipynb',
    modelId: 'n',
    name: 'b.ipynb'
  });
  expect(target({}, runs)).toBeNull();
});

it('opens a tab beside the notebook unless told otherwise', () => {
  expect(place('tab-after')).toBe('tab-after');
  expect(place('nonsense')).toBe('split-right');
});
