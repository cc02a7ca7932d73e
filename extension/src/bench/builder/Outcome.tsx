/** What an edit would do (code, parameters, shapes), or why it would be refused and what helps. */
import { count, shape, signed } from '../format';
import { useGraph } from '../hooks';
import type { Graph, Preview } from '../protocol';
import { Code, Refusal } from '../shell/parts';
import { nameOf } from './state';
import type { Check } from './useCheck';

const SHOWN = 6;

interface Props {
  check: Check;
  /** Whether the layers after this one may be remade. */
  fit: boolean;
  onFit: (fit: boolean) => void;
}

export function Outcome({ check, fit, onFit }: Props) {
  const { problem, preview, rescue, current } = check;
  return (
    <div className="wb-outcome" aria-live="polite" data-stale={!current || undefined}>
      {problem ? <Refusal>{problem.message}</Refusal> : preview && <Facts preview={preview} />}
      {(fit || rescue) && (
        <label className="wb-fit">
          <input
            type="checkbox"
            data-testid="wb-fit"
            checked={fit}
            onChange={event => onFit(event.target.checked)}
          />
          Remake the layers after it to fit, with new weights
        </label>
      )}
    </div>
  );
}

/** The kernel's words for what changes, else the shapes that do. */
export function changesOf(preview: Preview, graph: Graph): string[] {
  if (preview.changes.length > 0) {
    return preview.changes;
  }
  const before = new Map(graph.nodes.map(node => [node.id, shape(node.shape)]));
  return Object.entries(preview.shapes)
    .filter(([id, dims]) => before.get(id) !== shape(dims))
    .map(([id, dims]) =>
      before.has(id)
        ? `${nameOf(graph, id)} gives ${before.get(id) ?? ''} → ${shape(dims)}`
        : `its output is ${shape(dims)}`
    );
}

function Facts({ preview }: { preview: Preview }) {
  const graph = useGraph();
  const [before, after] = preview.parameters;
  const changes = changesOf(preview, graph);
  return (
    <div data-testid="wb-preview">
      <Code>{preview.code}</Code>
      <ul className="wb-effects">
        <li>
          {count(after)} parameters <span className="wb-muted">({signed(after - before)})</span>
        </li>
        {changes.slice(0, SHOWN).map(change => (
          <li key={change}>{change}</li>
        ))}
        {changes.length > SHOWN && <li className="wb-muted">and {changes.length - SHOWN} more</li>}
        {preview.kept?.map(name => (
          <li key={name}>{name} keeps its weights</li>
        ))}
      </ul>
    </div>
  );
}
