// SPDX-License-Identifier: Apache-2.0
// Who may see which page and do what: the one place that knows what each page asks of a person's rights and of the plan.
import { ACCESS_LEVELS, FUNCTIONALITIES, type Access, type Me, type PermissionSet, type Right } from '@/api/types';

export interface Page {
  to: string;
  permission: string;
  entitlement?: string;
}

/** In the order of the menu; the first that a person may see is where they land. */
export const PAGES = {
  overview: { to: '/overview', permission: 'devices.read' },
  detections: { to: '/detections', permission: 'detections.read' },
  quarantine: { to: '/quarantine', permission: 'detections.read' },
  devices: { to: '/devices', permission: 'devices.read' },
  tasks: { to: '/tasks', permission: 'tasks.read' },
  enrolment: { to: '/enrolment', permission: 'enrolment.read' },
  users: { to: '/users', permission: 'users.read', entitlement: 'multi_user' },
  permissionSets: { to: '/permission-sets', permission: 'permission_sets.read', entitlement: 'multi_user' },
  audit: { to: '/audit', permission: 'audit.read', entitlement: 'audit_screen' },
} as const satisfies Record<string, Page>;

export type PageName = keyof typeof PAGES;

type Rights = Pick<Me, 'permissions' | 'entitlements'>;

/** Whether a list of "<functionality>.<level>" grants what is asked; a higher level includes the lower ones. */
export function grants(permissions: readonly string[], wanted: string): boolean {
  const [functionality, level] = wanted.split('.');
  const least = ACCESS_LEVELS.indexOf(level as Access);
  return permissions.some((permission) => {
    const [held, heldLevel] = permission.split('.');
    return held === functionality && least > 0 && ACCESS_LEVELS.indexOf(heldLevel as Access) >= least;
  });
}

/** What of a page is missing, or null: the plan's part first, since no administrator can grant that. */
export function missing(me: Rights, page: Page): { entitlement: string } | { permission: string } | null {
  if (page.entitlement !== undefined && !me.entitlements.includes(page.entitlement)) return { entitlement: page.entitlement };
  return grants(me.permissions, page.permission) ? null : { permission: page.permission };
}

export function maySee(me: Rights, page: Page): boolean {
  return missing(me, page) === null;
}

export function firstPage(me: Rights): string | null {
  return Object.values<Page>(PAGES).find((page) => maySee(me, page))?.to ?? null;
}

/** One entry for each functionality, in the order of the matrix, also for those that a set does not name. */
export function fullRights(rights: readonly Right[]): Right[] {
  return FUNCTIONALITIES.map((functionality) => rights.find((right) => right.functionality === functionality) ?? { functionality, allow: 'none', deny: 'none' });
}

/** The highest level that is left of what a right allows when what it denies is taken away. */
export function effective(right: Right): Access {
  const allow = ACCESS_LEVELS.indexOf(right.allow);
  const deny = ACCESS_LEVELS.indexOf(right.deny);
  return ACCESS_LEVELS[deny > 0 ? Math.min(allow, deny - 1) : allow] ?? 'none';
}

/** Rights of a set that the person has nowhere: giving such a set would be refused. */
export function beyond(me: Rights, set: Pick<PermissionSet, 'rights'>): string[] {
  return set.rights
    .map((right) => ({ functionality: right.functionality, level: effective(right) }))
    .filter(({ functionality, level }) => level !== 'none' && !grants(me.permissions, `${functionality}.${level}`))
    .map(({ functionality, level }) => `${functionality}.${level}`);
}
