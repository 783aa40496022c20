// SPDX-License-Identifier: Apache-2.0
// What the audit may tell of: actions by kind of object, in the order of the menu. Only for filters and links; records of
// other actions are shown by their code.
import type { AuditRecord } from '@/api/types';
import { PAGES, type PageName } from './access';

export const AUDIT_ACTIONS: Record<string, readonly string[]> = {
  session: ['session.sign_in', 'session.sign_out', 'session.revoke', 'session.refresh_reused'],
  user: [
    'user.create',
    'user.update',
    'user.remove',
    'user.own_update',
    'user.password_change',
    'user.password_reset',
    'user.two_factor_begin',
    'user.two_factor_end',
    'user.two_factor_reset',
    'user.sessions_end',
  ],
  permission_set: ['permission_set.create', 'permission_set.update', 'permission_set.remove'],
  device: ['device.enrol', 'device.update', 'device.remove', 'device.certificate_revoke'],
  group: ['group.create'],
  detection: ['detection.resolve'],
  task: ['task.create', 'task.cancel'],
  execution: ['execution.cancel'],
  enrolment_token: ['enrolment_token.create', 'enrolment_token.revoke'],
  audit: ['audit.seal'],
  tenant: ['tenant.create', 'tenant.update', 'tenant.suspend', 'tenant.resume', 'tenant.erase_begin'],
};

/** Where an object of the audit can be looked at, and on which page that is. */
export function objectPath(record: Pick<AuditRecord, 'domain' | 'object_id'>): { page: PageName; to: string } | null {
  const id = record.object_id;
  if (id === undefined) return null;
  switch (record.domain) {
    case 'device':
      return { page: 'devices', to: `${PAGES.devices.to}/${id}` };
    case 'group':
      return { page: 'devices', to: `${PAGES.devices.to}?group=${id}` };
    case 'detection':
      return { page: 'detections', to: `${PAGES.detections.to}?show=${id}` };
    case 'task':
      return { page: 'tasks', to: `${PAGES.tasks.to}/${id}` };
    case 'user':
      return { page: 'users', to: `${PAGES.users.to}?show=${id}` };
    case 'permission_set':
      return { page: 'permissionSets', to: `${PAGES.permissionSets.to}?show=${id}` };
    default:
      return null;
  }
}
