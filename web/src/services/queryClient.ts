// SPDX-License-Identifier: Apache-2.0
import { MutationCache, QueryCache, QueryClient } from '@tanstack/react-query';
import { ApiProblem } from './problem';

const MOST_RETRIES = 2;

/** Refusals that mean: what we know of this person is old. */
const RIGHTS_CHANGED = ['permission_denied', 'plan_lacks', 'second_factor_setup_required'];

function learnFrom(error: unknown): void {
  if (error instanceof ApiProblem && RIGHTS_CHANGED.includes(error.code)) void queryClient.invalidateQueries({ queryKey: ['me'] });
}

export const queryClient: QueryClient = new QueryClient({
  queryCache: new QueryCache({
    onError: (error, query) => {
      if (query.queryKey[0] !== 'me') learnFrom(error);
    },
  }),
  mutationCache: new MutationCache({ onError: learnFrom }),
  defaultOptions: {
    queries: {
      staleTime: 15_000, // hints refresh sooner; this only spares re-reading on quick navigation
      retry: (failures, error) => failures < MOST_RETRIES && error instanceof ApiProblem && error.passing,
      retryDelay: (attempt, error) => {
        const told = error instanceof ApiProblem ? error.retryAfter : null;
        return told !== null ? Math.min(told, 10) * 1000 : Math.min(1000 * 2 ** attempt, 8000);
      },
      // The browser's own "offline" guess must not silence a console that reaches its server over a local network.
      networkMode: 'always',
    },
    mutations: { networkMode: 'always' },
  },
});
