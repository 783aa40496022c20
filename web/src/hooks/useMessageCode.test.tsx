// SPDX-License-Identifier: Apache-2.0
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { cleanup, renderHook } from '@testing-library/react';
import { createElement, type PropsWithChildren } from 'react';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startI18n, switchLanguage } from '@/services/i18n';
import { useGroupName, useMessageCode, useRightName, useSetName } from './useFormat';

const client = new QueryClient();
const wrapper = ({ children }: PropsWithChildren) => createElement(QueryClientProvider, { client }, children);

describe('message codes', () => {
  beforeAll(async () => {
    await startI18n();
  });
  afterEach(cleanup);

  it('become text with arguments, singular and plural', async () => {
    await switchLanguage('en', { remember: false });
    const message = renderHook(() => useMessageCode(), { wrapper }).result.current;
    expect(message('problem', 'modules_outdated', ['1'])).toBe('Signatures are 1 day old');
    expect(message('problem', 'modules_outdated', ['9'])).toBe('Signatures are 9 days old');
    expect(message('result', 'scan_done', ['12345', '0'])).toBe('12,345 files scanned, 0 found');
    expect(message('problem', 'disk_low', ['/', '/var'])).toBe('Little free space on /, /var');
    expect(message('result', 'modules_updated', ['27463'])).toBe('Updated to 27463');
  });

  it('that are not known stay codes, also without arguments', async () => {
    await switchLanguage('ja', { remember: false });
    const message = renderHook(() => useMessageCode(), { wrapper }).result.current;
    expect(message('result', 'something_new', ['x'])).toBe('something_new');
    expect(message('problem', 'protection_off')).toBe('保護が無効です');
    expect(message('result', 'scan_done')).toContain('検査');
  });

  it('name built-in groups only', async () => {
    await switchLanguage('ja', { remember: false });
    const name = renderHook(() => useGroupName(), { wrapper }).result.current;
    expect(name('group.lost_and_found')).toBe('未分類');
    expect(name('group.unknown')).toBe('group.unknown');
    expect(name('営業部')).toBe('営業部');
  });

  it('name built-in permission sets and rights only', async () => {
    await switchLanguage('en', { remember: false });
    const set = renderHook(() => useSetName(), { wrapper }).result.current;
    expect(set({ name: 'permission_set.branch_administrator' })).toBe('Branch administrator');
    expect(set({ name: 'permission_set.unknown' })).toBe('permission_set.unknown');
    expect(set({ name: 'Help desk' })).toBe('Help desk');
    const right = renderHook(() => useRightName(), { wrapper }).result.current;
    expect(right('permission_sets.write')).toBe('Permission sets: Write');
    expect(right('rockets.write')).toBe('rockets.write');
  });
});
