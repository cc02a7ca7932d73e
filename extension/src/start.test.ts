import { expect, it } from 'vitest';

import { freeName } from './start';

it('takes the plain name when it is free, else the first free number', () => {
  expect(freeName([], 'workbench', '.ipynb')).toBe('workbench.ipynb');
  expect(freeName(['workbench.ipynb'], 'workbench', '.ipynb')).toBe('workbench-2.ipynb');
  expect(freeName(['Workbench.ipynb', 'workbench-2.ipynb'], 'workbench', '.ipynb')).toBe(
    'workbench-3.ipynb'
  );
});
