// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import type { Right } from '@/api/types';
import { filled } from '@/components/RightsMatrix';
import { beyond, effective, firstPage, fullRights, grants, maySee, missing, PAGES } from './access';
import { objectPath } from './audit';

const me = (permissions: string[], entitlements = ['multi_user', 'audit_screen']) => ({ permissions, entitlements });
const right = (allow: Right['allow'], deny: Right['deny'] = 'none'): Right => ({ functionality: 'tasks', allow, deny });

describe('access', () => {
  it('lets a higher level include the lower ones', () => {
    expect(grants(['devices.write'], 'devices.read')).toBe(true);
    expect(grants(['devices.read'], 'devices.write')).toBe(false);
    expect(grants(['tasks.write'], 'devices.read')).toBe(false);
    expect(grants(['devices.strange'], 'devices.read')).toBe(false);
    expect(grants(['devices.write'], 'devices.strange')).toBe(false);
  });

  it('leads to the first page that one may see', () => {
    expect(firstPage(me(['devices.read', 'tasks.write']))).toBe('/overview');
    expect(firstPage(me(['tasks.write']))).toBe('/tasks');
    expect(firstPage(me(['audit.read']))).toBe('/audit');
    expect(firstPage(me(['audit.read'], []))).toBeNull();
    expect(firstPage(me([]))).toBeNull();
  });

  it('tells what is missing, the plan first', () => {
    expect(missing(me(['users.read']), PAGES.users)).toBeNull();
    expect(missing(me([]), PAGES.users)).toEqual({ permission: 'users.read' });
    expect(missing(me(['users.write'], []), PAGES.users)).toEqual({ entitlement: 'multi_user' });
    expect(maySee(me(['audit.read'], ['multi_user']), PAGES.audit)).toBe(false);
  });

  it('takes away what is denied', () => {
    expect(effective(right('write'))).toBe('write');
    expect(effective(right('write', 'write'))).toBe('use');
    expect(effective(right('write', 'read'))).toBe('none');
    expect(effective(right('read', 'write'))).toBe('read');
    expect(effective(right('none', 'use'))).toBe('none');
  });

  it('knows which sets go beyond one’s own rights', () => {
    expect(beyond(me(['tasks.use']), { rights: [right('use')] })).toEqual([]);
    expect(beyond(me(['tasks.use']), { rights: [right('write')] })).toEqual(['tasks.write']);
    expect(beyond(me(['tasks.use']), { rights: [right('write', 'write')] })).toEqual([]);
  });

  it('shows every functionality once, whatever a set names', () => {
    const rights = fullRights([right('use', 'write')]);
    expect(rights.map((one) => one.functionality)).toEqual(['devices', 'detections', 'tasks', 'enrolment', 'users', 'permission_sets', 'audit']);
    expect(rights[2]).toEqual(right('use', 'write'));
    expect(rights[0]).toEqual({ functionality: 'devices', allow: 'none', deny: 'none' });
  });

  it('fills a row up to what is allowed and from what is denied', () => {
    const row = (column: 'allow' | 'deny', chosen: Right['allow']) => (['none', 'read', 'use', 'write'] as const).map((level) => filled(column, level, chosen));
    expect(row('allow', 'use')).toEqual([false, true, true, false]);
    expect(row('deny', 'use')).toEqual([false, false, true, true]);
    expect(row('allow', 'none')).toEqual([false, false, false, false]);
    expect(row('deny', 'none')).toEqual([false, false, false, false]);
  });

  it('leads from the audit to objects that have a page', () => {
    expect(objectPath({ domain: 'task', object_id: 'x' })).toEqual({ page: 'tasks', to: '/tasks/x' });
    expect(objectPath({ domain: 'task' })).toBeNull();
    expect(objectPath({ domain: 'session', object_id: 'x' })).toBeNull();
  });
});
