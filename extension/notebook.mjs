// Copies the start notebook into the extension's sources, without outputs, so that the launcher's
// card can open it on any server. JSON modules must end in .json, hence a copy and not an import.
import { mkdir, readFile, writeFile } from 'node:fs/promises';

const notebook = JSON.parse(await readFile('../notebooks/00_start.ipynb', 'utf8'));
for (const cell of notebook.cells) {
  if (cell.cell_type === 'code') {
    cell.outputs = [];
    cell.execution_count = null;
  }
}
await mkdir('src/generated', { recursive: true });
await writeFile('src/generated/start.json', JSON.stringify(notebook));
