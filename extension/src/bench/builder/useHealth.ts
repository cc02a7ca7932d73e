/** The health of every layer's gradient, judged anew a few times a second while news comes in. */
import { useEffect, useState } from 'react';
import { useGraph, useSession } from '../hooks';
import type { Graph } from '../protocol';
import { type Health, judge, recent } from '../store/health';
import type { Store } from '../store/store';

const EVERY = 400;

export type HealthMap = ReadonlyMap<string, Health>;

export function healthOf(store: Store, graph: Graph): HealthMap {
  const norms = graph.nodes.map(node => recent(store.series.get(`grad_norm:${node.id}`)) ?? 0);
  const largest = Math.max(0, ...norms.filter(Number.isFinite));
  return new Map(
    graph.nodes
      .filter(node => node.parameters > 0)
      .map(node => [
        node.id,
        judge(
          store.series.get(`grad_norm:${node.id}`),
          store.series.get(`update_ratio:${node.id}`),
          largest,
          node.frozen
        )
      ])
  );
}

export function useHealth(): HealthMap {
  const { store } = useSession();
  const graph = useGraph();
  const [health, setHealth] = useState<{ graph: Graph; map: HealthMap }>(() => ({
    graph,
    map: healthOf(store, graph)
  }));
  useEffect(() => {
    const update = () => {
      timer = null;
      setHealth({ graph, map: healthOf(store, graph) });
    };
    let timer: ReturnType<typeof setTimeout> | null = setTimeout(update, 0);
    const stop = store.subscribe('series', () => {
      timer ??= setTimeout(update, EVERY);
    });
    return () => {
      stop();
      if (timer !== null) {
        clearTimeout(timer);
      }
    };
  }, [store, graph]);
  return health.map;
}
