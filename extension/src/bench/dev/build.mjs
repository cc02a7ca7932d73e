// Builds the harness into a folder: `node src/bench/dev/build.mjs OUT`, then open OUT/index.html
// through any file server.
import { copyFile, mkdir } from 'node:fs/promises';
import { build } from 'esbuild';

const out = process.argv[2] ?? '/tmp/bench-harness';
const here = new URL('.', import.meta.url).pathname;
await mkdir(out, { recursive: true });
await build({
  entryPoints: [`${here}main.ts`],
  bundle: true,
  format: 'esm',
  target: 'es2022',
  jsx: 'automatic',
  outdir: out,
  define: {
    'process.env.NODE_ENV': process.argv.includes('--production') ? '"production"' : '"development"'
  },
  logLevel: 'warning'
});
await copyFile(`${here}index.html`, `${out}/index.html`);
