// SPDX-License-Identifier: Apache-2.0
// Change hints. One tab per browser (holder of a Web Lock) reads the server's event stream and tells the others. A hint
// carries only a topic; the queries of that topic are then asked again through the API, which checks every right.
import { currentGrant, freshGrant, renew, sessionStore } from './session';
import { language } from './i18n';
import { withLock } from './locks';
import { createStore } from './store';

export const TOPICS = ['devices', 'detections', 'tasks', 'quarantine', 'enrolment', 'users'] as const;
export type Topic = (typeof TOPICS)[number];

export type LiveState = 'connecting' | 'open' | 'broken';

type TabMessage = { kind: 'hint'; topic: Topic } | { kind: 'state'; state: LiveState } | { kind: 'ask' };

const LOCK = 'sekisho-live';
const CHANNEL = 'sekisho-live';
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 30_000;
const SILENCE_MS = 50_000; // the server writes a comment every 20 s; two missed ones mean a dead connection

export const liveStore = createStore<LiveState>('connecting');

/** Splits an event stream into the data of its events; keeps what is not complete. Comments and other fields are skipped. */
export function createEventParser(onData: (data: string) => void): (chunk: string) => void {
  let rest = '';
  let data: string[] = [];
  return (chunk) => {
    const lines = (rest + chunk).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line === '') {
        if (data.length > 0) onData(data.join('\n'));
        data = [];
      } else if (line.startsWith('data:')) {
        data.push(line.slice(line[5] === ' ' ? 6 : 5));
      }
    }
  };
}

export function readTopic(data: string): Topic | null {
  try {
    const value: unknown = JSON.parse(data);
    if (typeof value !== 'object' || value === null || !('topic' in value)) return null;
    return TOPICS.find((topic) => topic === value.topic) ?? null;
  } catch {
    return null;
  }
}

/** Runs until the signal aborts. `onHint` gets each topic; after every new connection all topics, since hints may be missed. */
export function startLive(onHint: (topic: Topic) => void, signal: AbortSignal): void {
  const channel = typeof BroadcastChannel === 'undefined' ? null : new BroadcastChannel(CHANNEL);
  let leading = false;
  const tell = (message: TabMessage) => channel?.postMessage(message);
  const setState = (state: LiveState) => {
    liveStore.set(state);
    tell({ kind: 'state', state });
  };
  const hint = (topic: Topic) => {
    onHint(topic);
    tell({ kind: 'hint', topic });
  };

  if (channel) {
    channel.onmessage = ({ data }: MessageEvent<TabMessage>) => {
      if (data.kind === 'hint') onHint(data.topic);
      if (data.kind === 'state') liveStore.set(data.state);
      if (data.kind === 'ask' && leading) tell({ kind: 'state', state: liveStore.get() });
    };
    tell({ kind: 'ask' });
  }
  signal.addEventListener('abort', () => channel?.close());

  withLock(
    LOCK,
    async () => {
      leading = true;
      await readForever(hint, setState, signal);
    },
    signal,
  ).catch(() => undefined); // aborted while waiting for the lock
}

async function readForever(hint: (topic: Topic) => void, setState: (state: LiveState) => void, signal: AbortSignal) {
  let failures = 0;
  while (!signal.aborted) {
    if (!currentGrant()) return;
    try {
      const grant = await freshGrant();
      if (!grant) return;
      const renewed = await readOnce(grant.token, signal, () => {
        failures = 0;
        setState('open');
        for (const topic of TOPICS) hint(topic);
      }, hint);
      if (renewed) continue;
    } catch {
      failures += 1;
      if (!signal.aborted && failures > 1) setState('broken');
    }
    if (signal.aborted) return;
    // A stream that ended in order (token expired, server drains) is reopened almost at once, a failing one ever more slowly.
    await sleep(Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** failures) * (0.5 + Math.random()), signal);
  }
}

/** Reads one stream to its end. true: it was cut because the token was renewed, so the next one may open at once. */
async function readOnce(
  token: string,
  signal: AbortSignal,
  onOpen: () => void,
  hint: (topic: Topic) => void,
): Promise<boolean> {
  const own = new AbortController();
  const stop = () => own.abort();
  signal.addEventListener('abort', stop);
  const unsubscribe = sessionStore.subscribe(() => {
    if (currentGrant()?.token !== token) stop();
  });
  let silence = setTimeout(stop, SILENCE_MS);
  try {
    const response = await fetch('/api/v1/live', {
      headers: { Accept: 'text/event-stream', 'Accept-Language': language(), Authorization: `Bearer ${token}` },
      cache: 'no-store',
      signal: own.signal,
    });
    if (response.status === 401) await renew(token);
    if (!response.ok || !response.body) throw new Error(String(response.status));
    onOpen();
    const parse = createEventParser((data) => {
      const topic = readTopic(data);
      if (topic) hint(topic);
    });
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return false;
      clearTimeout(silence);
      silence = setTimeout(stop, SILENCE_MS);
      parse(value);
    }
  } catch (error) {
    if (own.signal.aborted && currentGrant()?.token !== token) return true; // not a failure: we cut it ourselves
    throw error;
  } finally {
    clearTimeout(silence);
    unsubscribe();
    signal.removeEventListener('abort', stop);
  }
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
