// SPDX-License-Identifier: Apache-2.0
// The map of the console. Pages are lazy chunks; what does not exist yet has no route and no menu entry.
import { createBrowserRouter, Navigate } from 'react-router';
import { CrashPage } from './pages/CrashPage';
import { NotFoundPage } from './pages/NotFoundPage';
import { SignInPage } from './pages/SignInPage';
import { PasswordGate, RequireSession, SignedOutOnly } from './pages/guards';
import { Shell } from './components/Shell';

export const router = createBrowserRouter([
  {
    ErrorBoundary: CrashPage,
    HydrateFallback: () => null, // the first page's file is on its way
    children: [
      {
        Component: SignedOutOnly,
        children: [{ path: '/sign-in', Component: SignInPage }],
      },
      {
        Component: RequireSession,
        children: [
          { path: '/password', lazy: async () => ({ Component: (await import('./pages/PasswordPage')).PasswordPage }) },
          {
            Component: PasswordGate,
            children: [
              {
                Component: Shell,
                children: [
                  {
                    ErrorBoundary: CrashPage,
                    children: [
                      { index: true, element: <Navigate to="/overview" replace /> },
                      { path: 'overview', lazy: async () => ({ Component: (await import('./pages/OverviewPage')).OverviewPage }) },
                      { path: 'devices', lazy: async () => ({ Component: (await import('./pages/DevicesPage')).DevicesPage }) },
                      { path: 'devices/:id/:tab?', lazy: async () => ({ Component: (await import('./pages/DevicePage')).DevicePage }) },
                      { path: 'detections', lazy: async () => ({ Component: (await import('./pages/DetectionsPage')).DetectionsPage }) },
                      { path: 'quarantine', lazy: async () => ({ Component: (await import('./pages/QuarantinePage')).QuarantinePage }) },
                      { path: 'tasks', lazy: async () => ({ Component: (await import('./pages/TasksPage')).TasksPage }) },
                      { path: 'tasks/executions', lazy: async () => ({ Component: (await import('./pages/ExecutionsPage')).ExecutionsPage }) },
                      { path: 'tasks/:id', lazy: async () => ({ Component: (await import('./pages/TaskPage')).TaskPage }) },
                      { path: 'enrolment', lazy: async () => ({ Component: (await import('./pages/EnrolmentPage')).EnrolmentPage }) },
                      { path: 'sessions', lazy: async () => ({ Component: (await import('./pages/SessionsPage')).SessionsPage }) },
                      { path: '*', Component: NotFoundPage },
                    ],
                  },
                ],
              },
            ],
          },
        ],
      },
    ],
  },
]);
