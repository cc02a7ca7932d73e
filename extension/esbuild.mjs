// Bundles the bench widget (React, charts, graph editor and all) into two files that travel inside
// the Python package: workbench/widgets/static/bench.js and bench.css. Nothing is loaded from a CDN.
import { context } from 'esbuild';

const minify = process.argv.includes('--minify');
const watch = process.argv.includes('--watch');

const bundle = await context({
  entryPoints: { bench: 'src/bench/index.tsx' },
  bundle: true,
  format: 'esm',
  target: 'es2022',
  outdir: '../workbench/widgets/static',
  jsx: 'automatic',
  minify,
  // The bundle travels with each widget's state, so notes about licences go to a file beside it.
  legalComments: 'linked',
  define: { 'process.env.NODE_ENV': minify ? '"production"' : '"development"' },
  logLevel: 'info'
});

if (watch) {
  await bundle.watch();
} else {
  await bundle.rebuild();
  await bundle.dispose();
}
