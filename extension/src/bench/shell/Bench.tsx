/** The bench: controls above, the network on one side, what it learns on the other, code below. */
import { type KeyboardEvent, useEffect, useState } from 'react';
import { Builder } from '../builder/Builder';
import { CurvesPanel } from '../charts/CurvesPanel';
import { GradientsPanel } from '../charts/GradientsPanel';
import { Controls } from '../controls/Controls';
import { useToggle } from '../controls/useToggle';
import { HistoryPanel } from '../history/HistoryPanel';
import { SessionContext, useHistory, useLayout, useSession, useStatusOf } from '../hooks';
import { keep, shortcut } from '../keys';
import { PredictionsPanel } from '../predictions/PredictionsPanel';
import type { Session } from '../session';
import { Announcer } from './Announcer';
import { CodeLine } from './CodeLine';
import { Tabs } from './Tabs';
import { PaletteContext, usePageTheme, useReadPalette } from './Theme';

export function App({ session }: { session: Session }) {
  return (
    <SessionContext.Provider value={session}>
      <Bench />
    </SessionContext.Provider>
  );
}

function Bench() {
  const session = useSession();
  const name = useStatusOf(status => status.name);
  const state = useStatusOf(status => status.state);
  const wanted = useLayout().theme ?? 'auto';
  const page = usePageTheme();
  const theme = wanted === 'auto' ? page.theme : wanted;
  const [root, setRoot] = useState<HTMLElement | null>(null);
  const palette = useReadPalette(root, theme, page.version);
  const toggle = useToggle();
  const { edits } = useHistory();
  const applied = edits.filter(edit => edit.state === 'applied').length;

  const onKeyDown = (event: KeyboardEvent) => {
    const action = event.defaultPrevented ? null : shortcut(event, event.target);
    if (action) {
      event.preventDefault();
      void (action === 'toggle' ? toggle.act() : session.run(action));
    }
  };
  useQuietKeys(root);

  return (
    <div className="wb-host">
      <div
        ref={setRoot}
        className="wb-bench"
        data-testid="wb-bench"
        data-state={state}
        data-theme={theme}
        data-forced={theme === page.theme ? undefined : theme}
        role="region"
        aria-label={name ? `Bench of ${name}` : 'Bench'}
        tabIndex={-1}
        onKeyDown={onKeyDown}
      >
        <PaletteContext.Provider value={palette}>
          <Controls />
          <div className="wb-main">
            <Builder />
            <Tabs
              label="What the run shows"
              tabs={[
                { id: 'curves', title: 'Curves', body: () => <CurvesPanel /> },
                { id: 'gradients', title: 'Gradients', body: () => <GradientsPanel /> },
                { id: 'predictions', title: 'Predictions', body: () => <PredictionsPanel /> },
                {
                  id: 'history',
                  title: 'History',
                  note: applied ? String(applied) : '',
                  body: () => <HistoryPanel />
                }
              ]}
            />
          </div>
          <CodeLine />
          <Announcer />
        </PaletteContext.Provider>
      </div>
    </div>
  );
}

/** Keeps keys typed here from the notebook's own shortcuts, after our handlers have seen them. */
function useQuietKeys(root: HTMLElement | null): void {
  useEffect(() => {
    const host = root?.closest('.wb-root') ?? root?.parentElement;
    const quiet = (event: Event) => {
      if (event instanceof globalThis.KeyboardEvent && keep(event, event.target)) {
        event.stopPropagation();
      }
    };
    host?.addEventListener('keydown', quiet);
    return () => host?.removeEventListener('keydown', quiet);
  }, [root]);
}
