/** The anywidget module: one React root per view, everything undone when the view goes. */
import { createRoot } from 'react-dom/client';
import './styles/bench.css';
import type { BenchModel } from './protocol';
import { Session } from './session';
import { App } from './shell/Bench';

function render({ model, el }: { model: BenchModel; el: HTMLElement }): () => void {
  const box = document.createElement('div');
  box.className = 'wb-root';
  el.append(box);
  const session = new Session(model);
  const root = createRoot(box);
  root.render(<App session={session} />);
  return () => {
    root.unmount();
    session.dispose();
    box.remove();
  };
}

export default { render };
