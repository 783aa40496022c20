// SPDX-License-Identifier: Apache-2.0
// Turns change hints into re-reads: the first hint of a topic at once, further ones gathered for a moment.
import { useQueryClient, type Query, type QueryClient } from '@tanstack/react-query';
import { useEffect } from 'react';
import { startLive, type Topic } from '@/services/live';

/** First key elements of the queries that a topic touches, and how long further hints are gathered. */
const TOUCHED: Record<Topic, { keys: readonly string[]; gatherMs: number }> = {
  detections: { keys: ['detections', 'detection', 'overview', 'devices', 'device'], gatherMs: 600 },
  tasks: { keys: ['tasks', 'task', 'executions', 'overview'], gatherMs: 800 },
  devices: { keys: ['devices', 'device', 'groups', 'overview'], gatherMs: 3_000 },
  quarantine: { keys: ['quarantine'], gatherMs: 1_500 },
  // Also one's own rights may have changed.
  users: { keys: ['users', 'user', 'sets', 'me'], gatherMs: 1_000 },
  enrolment: { keys: ['enrolment', 'groups'], gatherMs: 1_500 },
};

export function createHintHandler(refresh: (keys: readonly string[]) => void): {
  hint: (topic: Topic) => void;
  stop: () => void;
} {
  const timers = new Map<Topic, ReturnType<typeof setTimeout>>();
  const again = new Set<Topic>();
  const hint = (topic: Topic) => {
    if (timers.has(topic)) {
      again.add(topic);
      return;
    }
    refresh(TOUCHED[topic].keys);
    timers.set(
      topic,
      setTimeout(() => {
        timers.delete(topic);
        if (again.delete(topic)) hint(topic);
      }, TOUCHED[topic].gatherMs),
    );
  };
  const stop = () => {
    for (const timer of timers.values()) clearTimeout(timer);
    timers.clear();
    again.clear();
  };
  return { hint, stop };
}

/** Reads that a hint found under way, each to be done once more when it has ended. */
const late = new WeakSet<Query>();

/**
 * Reads again what a change may have touched. A read under way may have begun before the change; it is not cut off, or
 * hints that come faster than answers would let nobody see anything, but repeated when it has ended.
 */
export function refreshQueries(client: QueryClient, keys: readonly string[]): void {
  // In a hidden tab only note that the data is old; it is read again when somebody looks.
  const refetchType = document.visibilityState === 'hidden' ? 'none' : 'active';
  const touched = (query: Query) => keys.includes(String(query.queryKey[0]));
  const reading = new Set(client.getQueryCache().findAll({ predicate: touched, fetchStatus: 'fetching' }));
  void client.invalidateQueries({ predicate: (query) => touched(query) && !reading.has(query), refetchType });
  for (const query of reading) {
    if (late.has(query)) continue;
    late.add(query);
    const again = () => {
      late.delete(query);
      void client.invalidateQueries({ queryKey: query.queryKey, exact: true, refetchType });
    };
    // A task of its own: the answer is stored first.
    void (query.promise ?? Promise.resolve()).catch(() => undefined).then(() => setTimeout(again));
  }
}

export function useLiveQueries(enabled: boolean): void {
  const client = useQueryClient();
  useEffect(() => {
    if (!enabled) return;
    const abort = new AbortController();
    const handler = createHintHandler((keys) => refreshQueries(client, keys));
    startLive(handler.hint, abort.signal);
    return () => {
      abort.abort();
      handler.stop();
    };
  }, [client, enabled]);
}
