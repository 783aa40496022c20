// SPDX-License-Identifier: Apache-2.0
// Who may see which part: signed out -> sign-in page and back again; password change or second factor required -> only that.
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect } from 'react';
import { Navigate, Outlet, useLocation, useSearchParams } from 'react-router';
import { queries } from '@/hooks/queries';
import { sessionStore } from '@/services/session';
import { useStore } from '@/services/store';

/** Only a path of this console; never an address elsewhere. The root leads to the first page that one may see. */
export function safeNext(next: string | null): string {
  return next !== null && /^\/(?![/\\])/.test(next) && !next.startsWith('/sign-in') ? next : '/';
}

export function RequireSession() {
  const state = useStore(sessionStore);
  const client = useQueryClient();
  const { pathname, search } = useLocation();
  const out = state.phase === 'signed_out';
  useEffect(() => {
    // Nothing that was read for one person stays for the next.
    if (out) client.clear();
  }, [out, client]);
  if (state.phase === 'starting') return null;
  if (state.phase === 'signed_out') {
    const back = state.reason === 'signed_out' || pathname === '/' ? '' : `?next=${encodeURIComponent(pathname + search)}`;
    return <Navigate to={`/sign-in${back}`} replace />;
  }
  return <Outlet />;
}

export function PasswordGate() {
  const state = useStore(sessionStore);
  const { pathname, search } = useLocation();
  if (state.phase === 'signed_in' && state.grant.mustChangePassword) {
    return <Navigate to={`/password?next=${encodeURIComponent(pathname + search)}`} replace />;
  }
  return <Outlet />;
}

/** Leads to the set-up of a second factor where one is required; the server refuses everything else until then. */
export function SecondFactorGate() {
  const me = useQuery(queries.me()).data;
  const { pathname, search } = useLocation();
  if (me?.two_factor_required && !me.two_factor) {
    return <Navigate to={`/second-factor?next=${encodeURIComponent(pathname + search)}`} replace />;
  }
  return <Outlet />;
}

export function SignedOutOnly() {
  const state = useStore(sessionStore);
  const [params] = useSearchParams();
  if (state.phase === 'signed_in') return <Navigate to={safeNext(params.get('next'))} replace />;
  return <Outlet />;
}
