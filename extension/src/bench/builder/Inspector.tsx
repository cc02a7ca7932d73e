/** Beside the picture: the palette, the form of a new layer, or the selected layer. */
import { useMemo } from 'react';
import { shape } from '../format';
import { useCatalogue } from '../hooks';
import type { LayerType } from '../protocol';
import { LayerPanel } from './LayerPanel';
import { NewLayer } from './NewLayer';
import { Palette } from './Palette';
import { useBuilder } from './useBuilder';

export function Inspector() {
  const { graph, state, act } = useBuilder();
  const catalogue = useCatalogue();
  const types = useMemo(
    () =>
      new Map<string, LayerType>(
        catalogue.families.flatMap(family => family.layers.map(layer => [layer.type, layer]))
      ),
    [catalogue]
  );
  const chosen = state.chosen ? types.get(state.chosen) : undefined;
  const selected = graph.nodes.find(node => node.id === state.selected);

  const body = () => {
    if (chosen) {
      return <NewLayer key={chosen.type} type={chosen} />;
    }
    if (state.replacing || (!selected && state.selected === null)) {
      return <Palette />;
    }
    if (selected) {
      return <LayerPanel key={selected.id} layer={selected} type={types.get(selected.type)} />;
    }
    return (
      <div className="wb-panel-body">
        <h4>Input</h4>
        <p className="wb-muted">
          Each example is {shape(graph.input.shape)} of {graph.input.dtype}.
        </p>
        <button
          type="button"
          className="wb-button wb-button-plain"
          onClick={() => act({ do: 'place', place: { at: 'after', layer: graph.input.id } })}
        >
          Insert a layer after it
        </button>
      </div>
    );
  };
  return (
    <aside className="wb-inspector" aria-label="Layer" data-testid="wb-inspector">
      {body()}
    </aside>
  );
}
