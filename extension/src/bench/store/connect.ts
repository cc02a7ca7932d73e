/** Wires a widget model to a store and a client; the returned function undoes all of it. */
import type { Client } from '../client';
import type { Binary } from '../messages';
import type { BenchModel, Incoming, Traits } from '../protocol';
import type { Store } from './store';

const TRAITS: (keyof Traits)[] = ['graph', 'catalogue', 'classes', 'history', 'status', 'layout'];

export function connect(model: BenchModel, store: Store, client: Client): () => void {
  const changes = TRAITS.map(trait => {
    const listener = () => store.touch(trait);
    model.on(`change:${trait}`, listener);
    return () => model.off(`change:${trait}`, listener);
  });

  const receive = (message: Incoming, buffers: readonly Binary[] = []) => {
    switch (message.kind) {
      case 'series':
        store.takeSeries(message, buffers);
        break;
      case 'marks':
        store.takeMarks(message);
        break;
      case 'predictions':
        store.takePredictions(message, buffers);
        break;
      case 'reply':
        client.settle(message);
        break;
    }
  };
  model.on('msg:custom', receive);
  client.hello();

  return () => {
    changes.forEach(off => off());
    model.off('msg:custom', receive);
  };
}
