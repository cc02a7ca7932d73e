/** All layers one can add, by family; letters narrow it, Enter takes the first, arrows walk. */
import { type KeyboardEvent, useEffect, useMemo, useRef, useState } from 'react';
import { useCatalogue } from '../hooks';
import { FamilySign, Icon } from '../shell/icons';
import { Button } from '../shell/parts';
import { startDrag } from './drag';
import { search } from './search';
import { nameOf, placeWords } from './state';
import { useBuilder } from './useBuilder';

export function Palette() {
  const { graph, state, act } = useBuilder();
  const catalogue = useCatalogue();
  const [text, setText] = useState('');
  const list = useRef<HTMLDivElement>(null);
  const input = useRef<HTMLInputElement>(null);
  const found = useMemo(() => search(catalogue, text), [catalogue, text]);
  const choose = (type: string) => act({ do: 'choose', type });

  // Asked for by a + or by Replace: the next key is meant for the search.
  const wanted = state.replacing ?? (state.place.at === 'end' ? null : state.place.layer);
  useEffect(() => {
    if (wanted !== null) {
      input.current?.focus({ preventScroll: true });
    }
  }, [wanted]);

  const onKeyDown = (event: KeyboardEvent) => {
    const items = [...(list.current?.querySelectorAll<HTMLElement>('button') ?? [])];
    const at = items.indexOf(document.activeElement as HTMLElement);
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault();
      const to = at + (event.key === 'ArrowDown' ? 1 : -1);
      (to < 0 ? input.current : items[Math.min(to, items.length - 1)])?.focus();
    } else if (event.key === 'Enter' && at < 0 && text) {
      const first = found[0]?.layers[0];
      if (first) {
        event.preventDefault();
        choose(first.type);
      }
    } else if (event.key === 'Escape') {
      event.preventDefault();
      setText('');
      act({ do: 'back' });
    }
  };

  return (
    <div className="wb-palette" onKeyDown={onKeyDown} data-testid="wb-palette">
      <div className="wb-panel-head">
        <h4>
          {state.replacing ? (
            <>Replace {nameOf(graph, state.replacing)} by</>
          ) : (
            <>
              Add a layer <span className="wb-muted">{placeWords(graph, state.place)}</span>
            </>
          )}
        </h4>
        {(state.replacing ?? (state.place.at !== 'end' ? 'x' : null)) !== null && (
          <Button
            icon="close"
            look="quiet"
            label="Never mind"
            onClick={() => act({ do: 'back' })}
          />
        )}
      </div>
      <div className="wb-search">
        <Icon name="search" />
        <input
          ref={input}
          type="text"
          role="searchbox"
          aria-label="Find a layer"
          placeholder="Find a layer"
          data-testid="wb-search"
          autoComplete="off"
          spellCheck={false}
          value={text}
          onChange={event => setText(event.target.value)}
        />
      </div>
      <div className="wb-palette-list" ref={list}>
        {found.map(({ family, layers }) => (
          <section key={family} aria-label={family}>
            <h5>{family}</h5>
            <div className="wb-palette-family">
              {layers.map(layer => (
                <button
                  key={layer.type}
                  type="button"
                  className="wb-choice"
                  data-testid="wb-choice"
                  data-layer-type={layer.type}
                  title={layer.doc}
                  draggable
                  onDragStart={event => startDrag(event, layer.type)}
                  onClick={() => choose(layer.type)}
                >
                  <FamilySign family={family} />
                  {layer.type}
                </button>
              ))}
            </div>
          </section>
        ))}
        {found.length === 0 && (
          <p className="wb-muted" role="status">
            {catalogue.families.length
              ? `No layer called “${text}”.`
              : 'This network cannot be edited here.'}
          </p>
        )}
      </div>
    </div>
  );
}
