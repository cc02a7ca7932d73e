/**
 * The harness: a bench with a pretended kernel, `?theme=dark&network=residual&steps=900&run=1&sick=1`.
 */
import bench from '../index';
import { FakeModel } from './fake';

const wish = new URLSearchParams(location.search);
const dark = wish.get('theme') === 'dark';
document.body.dataset.jpThemeLight = String(!dark);
document.body.classList.add(dark ? 'dark' : 'light');

const model = new FakeModel({
  network: wish.get('network') ?? 'cnn',
  steps: Number(wish.get('steps') ?? 0),
  sick: wish.has('sick')
});
const el = document.createElement('div');
document.querySelector('main')?.append(el);
const dispose = bench.render({ model, el });
Object.assign(window, { harness: { model, dispose } });
if (wish.has('run')) {
  model.send({ kind: 'command', id: 'harness', name: 'start', args: {} });
}
if (wish.has('fail')) {
  model.fail();
}
