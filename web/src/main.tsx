// SPDX-License-Identifier: Apache-2.0
import '@patternfly/react-core/dist/styles/base.css'; // first: ours are laid over it
import './styles/index.css';
import { QueryClientProvider } from '@tanstack/react-query';
import { createRoot } from 'react-dom/client';
import { RouterProvider } from 'react-router';
import { router } from './router';
import { startI18n } from './services/i18n';
import { queryClient } from './services/queryClient';
import { startSession } from './services/session';
import { startTheme } from './services/theme';

startTheme();
await Promise.all([startI18n(), startSession()]);

const root = document.getElementById('root');
if (root) {
  createRoot(root).render(
    <QueryClientProvider client={queryClient}>
      <RouterProvider router={router} />
    </QueryClientProvider>,
  );
}
