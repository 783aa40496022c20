// SPDX-License-Identifier: Apache-2.0
import { beforeEach, describe, expect, it, vi } from 'vitest';

type Session = typeof import('./session');
type Api = typeof import('./api');

const GRANT = { expires_in: 600, must_change_password: false };

function answer(status: number, body: unknown, headers: Record<string, string> = {}): Response {
  return new Response(body === undefined ? null : JSON.stringify(body), { status, headers: { 'Content-Type': 'application/json', ...headers } });
}

/** A fresh copy of the modules, as in a newly opened tab. */
async function load(fetcher: (url: string, init: RequestInit & { request?: Request }) => Response | Promise<Response>) {
  vi.resetModules();
  vi.stubGlobal('fetch', async (input: Request | string, init: RequestInit = {}) => {
    const url = typeof input === 'string' ? input : new URL(input.url).pathname;
    return fetcher(url, typeof input === 'string' ? init : { ...init, request: input });
  });
  const session: Session = await import('./session');
  const api: Api = await import('./api');
  return { session, api };
}

describe('session', () => {
  beforeEach(() => {
    localStorage.clear();
    vi.unstubAllGlobals();
    vi.stubGlobal('BroadcastChannel', undefined);
  });

  it('does not ask for a session where nobody signed in', async () => {
    const fetcher = vi.fn(() => answer(500, {}));
    const { session } = await load(fetcher);
    await session.startSession();
    expect(fetcher).not.toHaveBeenCalled();
    expect(session.sessionStore.get()).toEqual({ phase: 'signed_out', reason: null });
  });

  it('renews once for many requests that are refused together, and repeats each', async () => {
    let refreshes = 0;
    const { session, api } = await load((url, init) => {
      if (url === '/api/v1/sign-in') return answer(200, { ...GRANT, access_token: 'old' });
      if (url === '/api/v1/session/refresh') {
        refreshes += 1;
        return answer(200, { ...GRANT, access_token: 'new' });
      }
      const token = init.request?.headers.get('Authorization');
      return token === 'Bearer new' ? answer(200, { items: [] }) : answer(401, { code: 'token_expired', title: 'x' });
    });
    await session.signIn('acme/admin', 'secret', 'en');
    const answers = await Promise.all([1, 2, 3].map(() => api.ask(api.api.GET('/api/v1/groups'))));
    expect(answers).toEqual([{ items: [] }, { items: [] }, { items: [] }]);
    expect(refreshes).toBe(1);
  });

  it('neither renews nor repeats when a code of the second factor was wrong', async () => {
    const asked: string[] = [];
    const { session, api } = await load((url) => {
      asked.push(url);
      if (url === '/api/v1/sign-in') return answer(200, { ...GRANT, access_token: 'good' });
      return answer(401, { code: 'second_factor_wrong', title: 'x' });
    });
    await session.signIn('acme/admin', 'secret', 'en', '123456');
    await expect(api.ask(api.api.POST('/api/v1/me/two-factor/confirm', { body: { code: '000000' } }))).rejects.toMatchObject({ code: 'second_factor_wrong' });
    expect(asked).toEqual(['/api/v1/sign-in', '/api/v1/me/two-factor/confirm']);
  });

  it('sends a code only when there is one', async () => {
    const bodies: unknown[] = [];
    const { session } = await load((_url, init) => {
      bodies.push(JSON.parse(String(init.body)));
      return answer(200, { ...GRANT, access_token: 'good' });
    });
    await session.signIn('acme/admin', 'secret', 'en');
    await session.signIn('acme/admin', 'secret', 'en', 'a1b2c-d3e4f');
    expect(bodies).toEqual([
      { name: 'acme/admin', password: 'secret', language: 'en' },
      { name: 'acme/admin', password: 'secret', language: 'en', code: 'a1b2c-d3e4f' },
    ]);
  });

  it('repeats a request with its body', async () => {
    const bodies: string[] = [];
    const { session, api } = await load(async (url, init) => {
      if (url === '/api/v1/sign-in') return answer(200, { ...GRANT, access_token: 'old' });
      if (url === '/api/v1/session/refresh') return answer(200, { ...GRANT, access_token: 'new' });
      bodies.push((await init.request?.text()) ?? '');
      return bodies.length === 1 ? answer(401, { code: 'token_expired', title: 'x' }) : answer(201, { id: '1', name: 'a', built_in: false, devices: 0 });
    });
    await session.signIn('acme/admin', 'secret', 'en');
    await api.ask(api.api.POST('/api/v1/groups', { body: { name: 'Büro 東京' } }));
    expect(bodies).toEqual(['{"name":"Büro 東京"}', '{"name":"Büro 東京"}']);
  });

  it('ends when the refresh is refused, but not when the server is away', async () => {
    let away = true;
    const { session } = await load((url) => {
      if (url === '/api/v1/sign-in') return answer(200, { ...GRANT, access_token: 'old' });
      return away ? answer(503, { code: 'unavailable', title: 'x' }) : answer(401, { code: 'session_ended', title: 'x' });
    });
    await session.signIn('acme/admin', 'secret', 'en');
    await expect(session.renew('old')).rejects.toMatchObject({ code: 'unavailable' });
    expect(session.sessionStore.get().phase).toBe('signed_in');
    away = false;
    expect(await session.renew('old')).toBeNull();
    expect(session.sessionStore.get()).toEqual({ phase: 'signed_out', reason: 'ended' });
  });

  it('keeps the token out of storage', async () => {
    const { session } = await load(() => answer(200, { ...GRANT, access_token: 'very-secret' }));
    await session.signIn('acme/admin', 'secret', 'en');
    expect(JSON.stringify({ ...localStorage })).not.toContain('very-secret');
  });

  it('passes on why a sign-in was refused', async () => {
    const { session } = await load(() => answer(429, { code: 'sign_in_locked', title: 'Locked', status: 429, type: 'x', resets_at: '2026-11-24T12:00:00Z' }, { 'Retry-After': '90' }));
    await expect(session.signIn('acme/admin', 'wrong', 'en')).rejects.toMatchObject({ code: 'sign_in_locked', retryAfter: 90, passing: true });
    expect(session.sessionStore.get().phase).not.toBe('signed_in');
  });
});
