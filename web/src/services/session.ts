// SPDX-License-Identifier: Apache-2.0
// Who is signed in. The access token lives in this module's memory only; the refresh token is an HttpOnly cookie that
// scripts never see. Tabs share a renewed token over a channel and renew one at a time under a Web Lock, so that a
// rotating cookie is never presented twice.
import type { Language, SessionGrant } from '@/api/types';
import { learnServerTime } from './clock';
import { language } from './i18n';
import { withLock } from './locks';
import { readPref, writePref } from './prefs';
import { ApiProblem } from './problem';
import { createStore } from './store';

export interface Grant {
  token: string;
  expiresAt: number; // this computer's clock, milliseconds
  mustChangePassword: boolean;
}

export type EndReason = 'signed_out' | 'idle' | 'ended' | 'suspended';

export type SessionState =
  | { phase: 'starting' }
  | { phase: 'signed_out'; reason: EndReason | null }
  | { phase: 'signed_in'; grant: Grant };

type TabMessage = { kind: 'grant'; grant: Grant } | { kind: 'signed_in' } | { kind: 'ended'; reason: EndReason };

const LOCK = 'sekisho-session';
const CHANNEL = 'sekisho-session';
const HINT = 'signed-in'; // "a refresh cookie probably exists": spares a certain 401 at the first visit
const RENEW_BEFORE_MS = 60_000;
const EXPIRY_MARGIN_MS = 1_500;

export const sessionStore = createStore<SessionState>({ phase: 'starting' });

let channel: BroadcastChannel | null = null;
let renewTimer: ReturnType<typeof setTimeout> | undefined;
let renewing: Promise<Grant | null> | null = null;

export function currentGrant(): Grant | null {
  const state = sessionStore.get();
  return state.phase === 'signed_in' ? state.grant : null;
}

/** A token that will not expire on the way: a request with an expired one would only earn a 401. null: signed out. */
export async function freshGrant(): Promise<Grant | null> {
  const known = currentGrant();
  if (known && known.expiresAt - Date.now() > EXPIRY_MARGIN_MS) return known;
  return renew(known?.token ?? null);
}

function post(path: string, body?: object): Promise<Response> {
  const headers: Record<string, string> = { Accept: 'application/json', 'Accept-Language': language() };
  if (body) headers['Content-Type'] = 'application/json';
  const init: RequestInit = { method: 'POST', credentials: 'same-origin', headers };
  if (body) init.body = JSON.stringify(body);
  return fetch(path, init).catch(() => {
    throw ApiProblem.offline();
  });
}

async function readGrant(response: Response): Promise<Grant> {
  learnServerTime(response);
  const body: unknown = await response.json().catch(() => null);
  if (!response.ok) throw ApiProblem.from(response, body);
  return toGrant(body as SessionGrant);
}

function toGrant(body: SessionGrant): Grant {
  return {
    token: body.access_token,
    expiresAt: Date.now() + body.expires_in * 1000,
    mustChangePassword: body.must_change_password,
  };
}

function adopt(grant: Grant, tell: TabMessage['kind'] | null): void {
  writePref(HINT, '1');
  sessionStore.set({ phase: 'signed_in', grant });
  scheduleRenewal(grant);
  if (tell === 'grant') channel?.postMessage({ kind: 'grant', grant } satisfies TabMessage);
  if (tell === 'signed_in') channel?.postMessage({ kind: 'signed_in' } satisfies TabMessage);
}

function end(reason: EndReason | null, tell: boolean): void {
  clearTimeout(renewTimer);
  writePref(HINT, null);
  if (tell && reason) channel?.postMessage({ kind: 'ended', reason } satisfies TabMessage);
  sessionStore.set({ phase: 'signed_out', reason });
}

function scheduleRenewal(grant: Grant): void {
  clearTimeout(renewTimer);
  const life = grant.expiresAt - Date.now();
  const jitter = Math.random() * Math.min(10_000, life / 10); // tabs must not all wake in the same instant
  const wait = Math.max(1_000, life - Math.min(RENEW_BEFORE_MS, life / 4) - jitter);
  renewTimer = setTimeout(() => {
    renew(grant.token).catch(() => scheduleRenewal({ ...grant, expiresAt: Date.now() + 20_000 }));
  }, wait);
}

/**
 * A token that differs from `stale`: from another tab if one was quicker, else from the server.
 * null: the session is over (and the state says so). Throws ApiProblem when the server could not be asked.
 */
export function renew(stale: string | null): Promise<Grant | null> {
  renewing ??= withLock(LOCK, () => renewLocked(stale)).finally(() => {
    renewing = null;
  });
  return renewing;
}

async function renewLocked(stale: string | null): Promise<Grant | null> {
  const known = currentGrant();
  if (known && known.token !== stale && known.expiresAt > Date.now()) return known;
  try {
    const grant = await readGrant(await post('/api/v1/session/refresh'));
    adopt(grant, 'grant');
    return grant;
  } catch (error) {
    if (!(error instanceof ApiProblem) || error.passing) throw error;
    end(endReason(error, known !== null), true);
    return null;
  }
}

function endReason(problem: ApiProblem, wasSignedIn: boolean): EndReason | null {
  if (problem.code === 'tenant_suspended') return 'suspended';
  return wasSignedIn ? 'ended' : null;
}

export async function startSession(): Promise<void> {
  if (typeof BroadcastChannel !== 'undefined') {
    channel = new BroadcastChannel(CHANNEL);
    channel.onmessage = (event: MessageEvent<TabMessage>) => hear(event.data);
  }
  if (readPref(HINT) === null) {
    sessionStore.set({ phase: 'signed_out', reason: null });
    return;
  }
  await renew(null).catch(() => {
    // The server is away: stay on the sign-in page but keep the hint, so that a reload finds the session again.
    sessionStore.set({ phase: 'signed_out', reason: null });
  });
}

function hear(message: TabMessage): void {
  const state = sessionStore.get();
  if (message.kind === 'grant' && state.phase === 'signed_in') adopt(message.grant, null);
  // Another tab signed in, perhaps as somebody else: nothing read before may stay on the screen.
  if (message.kind === 'signed_in') window.location.reload();
  if (message.kind === 'ended' && state.phase === 'signed_in') end(message.reason, false);
}

/** `code`: of the second factor, or a recovery code, when the server asked for one. */
export async function signIn(name: string, password: string, chosen: Language, code?: string): Promise<Grant> {
  const grant = await readGrant(await post('/api/v1/sign-in', { name, password, language: chosen, ...(code === undefined ? {} : { code }) }));
  adopt(grant, 'signed_in');
  return grant;
}

/** After a password change the answer carries a new grant. */
export function adoptGrant(body: SessionGrant): void {
  adopt(toGrant(body), 'grant');
}

export async function signOut(reason: EndReason = 'signed_out'): Promise<void> {
  await withLock(LOCK, async () => {
    // Even if the server cannot be told now, this browser forgets; the session then ends by itself.
    await post('/api/v1/sign-out').catch(() => undefined);
    end(reason, true);
  });
}

/** The server said that this session is over. */
export function sessionEnded(): void {
  if (sessionStore.get().phase === 'signed_in') end('ended', true);
}
