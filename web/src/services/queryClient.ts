// SPDX-License-Identifier: Apache-2.0
import { QueryClient } from '@tanstack/react-query';
import { ApiProblem } from './problem';

const MOST_RETRIES = 2;

export const queryClient = new QueryClient({
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
