// SPDX-License-Identifier: Apache-2.0
import { useQuery } from '@tanstack/react-query';
import { sessionStore } from '@/services/session';
import { useStore } from '@/services/store';
import { queries } from './queries';

const LEVELS = ['read', 'use', 'write'];

/** Whether a list of "<functionality>.<level>" grants what is asked; a higher level includes the lower ones. */
export function grants(permissions: readonly string[], wanted: string): boolean {
  const [functionality, level] = wanted.split('.');
  return permissions.some((permission) => {
    const [held, heldLevel] = permission.split('.');
    return held === functionality && LEVELS.indexOf(heldLevel ?? '') >= LEVELS.indexOf(level ?? '');
  });
}

/** The person signed in; undefined on the pages before that (sign-in, required password change). */
export function useMe() {
  const session = useStore(sessionStore);
  const enabled = session.phase === 'signed_in' && !session.grant.mustChangePassword;
  return useQuery({ ...queries.me(), enabled }).data;
}

export function useCan(): (permission: string) => boolean {
  const me = useMe();
  return (permission) => (me ? grants(me.permissions, permission) : false);
}
