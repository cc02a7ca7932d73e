/** Tabs as the ARIA authoring practices describe them: arrows move, one tab stop. */
import { type KeyboardEvent, type ReactNode, useId, useRef, useState } from 'react';

export interface Tab {
  id: string;
  title: string;
  note?: string;
  body: () => ReactNode;
}

const STEP: Record<string, number> = { ArrowRight: 1, ArrowLeft: -1 };

export function Tabs({ tabs, label }: { tabs: Tab[]; label: string }) {
  const [open, setOpen] = useState(tabs[0]?.id ?? '');
  const base = useId();
  const list = useRef<HTMLDivElement>(null);
  const at = Math.max(
    0,
    tabs.findIndex(tab => tab.id === open)
  );

  const move = (event: KeyboardEvent) => {
    const last = tabs.length - 1;
    const to =
      event.key === 'Home'
        ? 0
        : event.key === 'End'
          ? last
          : (at + (STEP[event.key] ?? 0) + tabs.length) % tabs.length;
    const tab = tabs[to];
    if (tab && to !== at) {
      event.preventDefault();
      setOpen(tab.id);
      list.current?.querySelectorAll<HTMLElement>('[role=tab]')[to]?.focus();
    }
  };

  return (
    <section className="wb-tabs" aria-label={label}>
      <div className="wb-tablist" role="tablist" aria-label={label} ref={list} onKeyDown={move}>
        {tabs.map((tab, i) => (
          <button
            key={tab.id}
            type="button"
            role="tab"
            id={`${base}-${tab.id}`}
            className="wb-tab"
            data-testid={`wb-tab-${tab.id}`}
            aria-selected={i === at}
            aria-controls={`${base}-panel`}
            tabIndex={i === at ? 0 : -1}
            onClick={() => setOpen(tab.id)}
          >
            {tab.title}
            {tab.note && <span className="wb-tab-note">{tab.note}</span>}
          </button>
        ))}
      </div>
      <div
        className="wb-tabpanel"
        role="tabpanel"
        id={`${base}-panel`}
        aria-labelledby={`${base}-${tabs[at]?.id ?? ''}`}
        data-testid={`wb-panel-${tabs[at]?.id ?? ''}`}
      >
        {tabs[at]?.body()}
      </div>
    </section>
  );
}
