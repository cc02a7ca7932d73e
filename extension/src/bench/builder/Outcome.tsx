/** What an edit would do (code, parameters, shapes), or why it would be refused. */
import { count, shape, signed } from '../format';
import { useGraph } from '../hooks';
import type { Preview } from '../protocol';
import { Code, Refusal } from '../shell/parts';
import { nameOf } from './state';
import type { Check } from './useCheck';

const SHOWN = 5;

export function Outcome({ check }: { check: Check }) {
  const { problem, preview, current } = check;
  return (
    <div className="wb-outcome" aria-live="polite" data-stale={!current || undefined}>
      {problem ? <Refusal>{problem.message}</Refusal> : preview && <Facts preview={preview} />}
    </div>
  );
}

function Facts({ preview }: { preview: Preview }) {
  const graph = useGraph();
  const [before, after] = preview.parameters;
  const shapes = Object.entries(preview.shapes);
  const before_ = new Map(graph.nodes.map(node => [node.id, shape(node.shape)]));
  const news = shapes.filter(([id, dims]) => before_.get(id) !== shape(dims));
  return (
    <div data-testid="wb-preview">
      <Code>{preview.code}</Code>
      <ul className="wb-effects">
        <li>
          {count(after)} parameters <span className="wb-muted">({signed(after - before)})</span>
        </li>
        {news.slice(0, SHOWN).map(([id, dims]) => (
          <li key={id}>
            {before_.has(id)
              ? `${nameOf(graph, id)} gives ${before_.get(id) ?? ''} → `
              : 'its output is '}
            {shape(dims)}
          </li>
        ))}
        {preview.changes.slice(0, SHOWN).map(change => (
          <li key={change}>{change}</li>
        ))}
      </ul>
    </div>
  );
}
