/** The start notebook: carried by the extension, copied into the user's folder. */

import { PathExt } from '@jupyterlab/coreutils';
import type { Contents } from '@jupyterlab/services';

/** Save a copy of the start notebook in `folder` under a free name; its path. */
export async function createStartNotebook(
  contents: Contents.IManager,
  folder: string
): Promise<string> {
  const [{ default: notebook }, listing] = await Promise.all([
    import('./generated/start.json'),
    contents.get(folder, { content: true })
  ]);
  const names = (listing.content as Contents.IModel[]).map(item => item.name);
  const path = PathExt.join(folder, freeName(names, 'workbench', '.ipynb'));
  await contents.save(path, { type: 'notebook', format: 'json', content: notebook });
  return path;
}

/** `stem.ext`, or `stem-2.ext`, `stem-3.ext` … : the first that is not taken (whatever its case). */
export function freeName(taken: readonly string[], stem: string, extension: string): string {
  const lower = new Set(taken.map(name => name.toLowerCase()));
  for (let count = 1; ; count++) {
    const name = count === 1 ? stem + extension : `${stem}-${count}${extension}`;
    if (!lower.has(name.toLowerCase())) {
      return name;
    }
  }
}
