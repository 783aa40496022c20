// SPDX-License-Identifier: Apache-2.0
import { useQuery } from '@tanstack/react-query';
import { grants, maySee, PAGES, type PageName } from '@/services/access';
import { sessionStore } from '@/services/session';
import { useStore } from '@/services/store';
import { queries } from './queries';

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

/** Whether a page is there for this person: the right and what the plan includes. */
export function useMaySee(): (page: PageName) => boolean {
  const me = useMe();
  return (page) => (me ? maySee(me, PAGES[page]) : false);
}
