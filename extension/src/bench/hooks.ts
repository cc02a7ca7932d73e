/** What components know of the session, and how they hear of changes. */
import {
  createContext,
  type RefObject,
  useContext,
  useEffect,
  useRef,
  useState,
  useSyncExternalStore
} from 'react';
import type { Catalogue, Graph, History, Status, Traits } from './protocol';
import type { Feedback, Session } from './session';
import { EMPTY_CATALOGUE, EMPTY_GRAPH, EMPTY_HISTORY, EMPTY_STATUS } from './store/select';
import type { Topic } from './store/store';

export const SessionContext = createContext<Session | null>(null);

export function useSession(): Session {
  const session = useContext(SessionContext);
  if (!session) {
    throw new Error('A bench component must stand inside a Bench.');
  }
  return session;
}

/** Renders again when `topic` changed; the number is a version, for dependency lists. */
export function useTopic(topic: Topic): number {
  const { store } = useSession();
  const [subscribe] = useState(() => (listener: () => void) => store.subscribe(topic, listener));
  return useSyncExternalStore(subscribe, () => store.version(topic));
}

function useTrait<K extends keyof Traits>(key: K, empty: Traits[K]): Traits[K] {
  const { model } = useSession();
  useTopic(key);
  const value = model.get(key);
  // Traits start as {} or [] in Python until a run is known.
  return value && (Array.isArray(value) || Object.keys(value).length) ? value : empty;
}

/**
 * One plain value (text, number, truth) out of the status, which changes many times a second: only
 * a change of the value itself renders again.
 */
export function useStatusOf<T extends string | number | boolean | null>(
  pick: (status: Status) => T
): T {
  const { model, store } = useSession();
  const [subscribe] = useState(() => (listener: () => void) => store.subscribe('status', listener));
  return useSyncExternalStore(subscribe, () => {
    const status = model.get('status');
    return pick(status && 'state' in status ? status : EMPTY_STATUS);
  });
}

const NO_CLASSES: string[] = [];
const AUTO: Traits['layout'] = { theme: 'auto' };

export const useGraph = (): Graph => useTrait('graph', EMPTY_GRAPH);
export const useCatalogue = (): Catalogue => useTrait('catalogue', EMPTY_CATALOGUE);
export const useHistory = (): History => useTrait('history', EMPTY_HISTORY);
export const useStatus = (): Status => useTrait('status', EMPTY_STATUS);
export const useClasses = (): string[] => useTrait('classes', NO_CLASSES);
export const useLayout = (): Traits['layout'] => useTrait('layout', AUTO);

export function useFeedback(): Feedback {
  const session = useSession();
  return useSyncExternalStore(session.subscribe, () => session.feedback);
}

export interface Size {
  width: number;
  height: number;
}

/** The size of an element's content box, as it changes. */
export function useSize(ref: RefObject<HTMLElement | null>): Size {
  const [size, setSize] = useState<Size>({ width: 0, height: 0 });
  useEffect(() => {
    const element = ref.current;
    if (!element) {
      return;
    }
    const observer = new ResizeObserver(entries => {
      const box = entries.at(-1)?.contentRect;
      if (box) {
        setSize(old =>
          old.width === Math.round(box.width) && old.height === Math.round(box.height)
            ? old
            : { width: Math.round(box.width), height: Math.round(box.height) }
        );
      }
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, [ref]);
  return size;
}

/** A value read again only every `ms`, for texts that would flicker otherwise. */
export function useSlow<T>(value: T, ms: number): T {
  const [slow, setSlow] = useState(value);
  const latest = useRef(value);
  useEffect(() => {
    latest.current = value;
  });
  useEffect(() => {
    const timer = setInterval(() => setSlow(latest.current), ms);
    return () => clearInterval(timer);
  }, [ms]);
  return slow;
}
