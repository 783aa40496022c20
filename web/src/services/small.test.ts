// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import type { Group } from '@/api/types';
import { lateness } from '@/components/Status';
import { oneOf, readUuid } from '@/hooks/useListState';
import { userCondition } from '@/components/UserStatus';
import { tokenCondition } from '@/pages/EnrolmentPage';
import { safeNext } from '@/pages/guards';
import { describeBrowser } from './browser';
import { installCommands } from './install';
import { asProblem, retryAfter } from './problem';
import { cleanCode, inFours } from './secondFactor';
import { buildTree, flattenTree } from './tree';

describe('small rules', () => {
  it('goes back only to pages of this console', () => {
    expect(safeNext('/devices?os=linux')).toBe('/devices?os=linux');
    for (const bad of [null, '', 'https://evil.example', '//evil.example', '/\\evil.example', '/sign-in?next=/x']) {
      expect(safeNext(bad)).toBe('/');
    }
  });

  it('names the strongest condition of a user first', () => {
    const now = Date.parse('2026-11-24T12:00:00Z');
    const user = { enabled: true, must_change_password: true, locked_until: '2026-11-24T12:05:00Z' };
    expect(userCondition({ ...user, enabled: false }, now)).toBe('disabled');
    expect(userCondition(user, now)).toBe('locked');
    expect(userCondition({ ...user, locked_until: '2026-11-24T11:59:59Z' }, now)).toBe('must_change');
    expect(userCondition({ enabled: true, must_change_password: false }, now)).toBe('enabled');
  });

  it('reads codes as people type them', () => {
    expect(cleanCode(' 123 456 ')).toBe('123456');
    expect(cleanCode('１２３４５６')).toBe('123456');
    expect(cleanCode(' a1b2c-d3e4f ')).toBe('a1b2c-d3e4f');
    expect(inFours('ABCDEFGHIJ')).toBe('ABCD EFGH IJ');
    expect(inFours('ABCDEFGH')).toBe('ABCD EFGH');
  });

  it('lets only identifiers into requests that ask for one', () => {
    expect(readUuid('5e000000-0000-4000-8000-000000000001')).toBeDefined();
    for (const bad of [undefined, '', 'x', '5e000000-0000-4000-8000-00000000000', '5e000000-0000-4000-8000-000000000001 ']) expect(readUuid(bad)).toBeUndefined();
  });

  it('judges silence by the device’s own interval', () => {
    const now = Date.parse('2026-11-24T12:00:00Z');
    const seen = (minutes: number) => ({ connected: false, interval: 1200, last_seen: new Date(now - minutes * 60_000).toISOString() });
    expect(lateness(seen(39), now)).toBe('quiet');
    expect(lateness(seen(41), now)).toBe('warning');
    expect(lateness(seen(201), now)).toBe('danger');
    expect(lateness({ ...seen(500), connected: true }, now)).toBe('quiet');
  });

  it('ignores filter values that the contract does not know', () => {
    expect(oneOf(['linux', 'macos'], 'linux')).toBe('linux');
    expect(oneOf(['linux', 'macos'], 'beos')).toBeUndefined();
    expect(oneOf(['linux'], undefined)).toBeUndefined();
  });

  it('tells whether a token can still be used', () => {
    const token = { id: '1', name: 'a', group_id: '2', group_name: 'b', created_at: '2026-01-01T00:00:00Z', uses: 2, revoked: false };
    const now = Date.parse('2026-06-01T00:00:00Z');
    expect(tokenCondition(token, now)).toBe('valid');
    expect(tokenCondition({ ...token, max_uses: 2 }, now)).toBe('used_up');
    expect(tokenCondition({ ...token, expires_at: '2026-05-01T00:00:00Z' }, now)).toBe('expired');
    expect(tokenCondition({ ...token, revoked: true }, now)).toBe('revoked');
  });

  it('builds the tree, Lost & found last, strays at the top', () => {
    const group = (id: string, name: string, parent_id?: string, built_in = false): Group => ({ id, name, parent_id, built_in, devices: 1 });
    const groups = [group('1', 'group.all', undefined, true), group('2', 'group.lost_and_found', '1', true), group('3', 'B', '1'), group('4', 'A', '3'), group('5', 'stray', 'gone')];
    expect(flattenTree(groups).map(({ group: { id }, depth }) => `${id}:${depth}`)).toEqual(['5:0', '1:0', '3:1', '4:2', '2:1']);
    expect(buildTree(groups).find((node) => node.group.id === '1')?.devices).toBe(4);
  });

  it('writes the install commands with all values', () => {
    const text = installCommands({
      token: { id: '1', name: 'a', group_id: '2', group_name: 'b', created_at: '', uses: 0, revoked: false },
      secret: 'skt_abc',
      agent_host: 'agents.example',
      agent_port: 2222,
      ca_pem: '-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----\n',
    });
    for (const part of ['server_host = agents.example', 'server_port = 2222', 'token = skt_abc', 'BEGIN CERTIFICATE']) expect(text).toContain(part);
    expect(text.match(/^EOF$/gm)).toHaveLength(2);
  });

  it('reads Retry-After as seconds or as a date', () => {
    expect(retryAfter(new Response(null, { headers: { 'Retry-After': '12' } }))).toBe(12);
    expect(retryAfter(new Response(null, { headers: { 'Retry-After': new Date(Date.now() + 30_500).toUTCString() } }))).toBeGreaterThan(28);
    expect(retryAfter(new Response(null))).toBeNull();
  });

  it('turns a network failure into a problem and lets mistakes of ours through', () => {
    expect(asProblem(new TypeError('Failed to fetch')).code).toBe('offline');
    expect(() => asProblem(new RangeError('ours'))).toThrow('ours');
  });

  it('names browsers', () => {
    expect(describeBrowser('Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0 Safari/537.36 Edg/141.0')).toBe('Edge, Windows');
    expect(describeBrowser('curl/8.5.0')).toBe('curl');
  });
});
