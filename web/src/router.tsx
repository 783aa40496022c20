// SPDX-License-Identifier: Apache-2.0
// The map of the console. Pages are lazy chunks; what does not exist yet has no route and no menu entry.
import { createBrowserRouter, type RouteObject } from 'react-router';
import { CrashPage } from './pages/CrashPage';
import { NotFoundPage } from './pages/NotFoundPage';
import { SignInPage } from './pages/SignInPage';
import { FirstPage, NeedsPage } from './pages/AccessPages';
import { PasswordGate, RequireSession, SecondFactorGate, SignedOutOnly } from './pages/guards';
import { Shell } from './components/Shell';
import type { PageName } from './services/access';

/** A page that asks something of a person's rights: without them the address says what is missing and who can help. */
function page(name: PageName, route: RouteObject): RouteObject {
  return { element: <NeedsPage page={name} />, children: [route] };
}

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
              { path: '/second-factor', lazy: async () => ({ Component: (await import('./pages/SecondFactorPage')).SecondFactorPage }) },
              {
                Component: SecondFactorGate,
                children: [
                  {
                    Component: Shell,
                    children: [
                      {
                        ErrorBoundary: CrashPage,
                        children: [
                          { index: true, Component: FirstPage },
                          page('overview', { path: 'overview', lazy: async () => ({ Component: (await import('./pages/OverviewPage')).OverviewPage }) }),
                          page('devices', { path: 'devices', lazy: async () => ({ Component: (await import('./pages/DevicesPage')).DevicesPage }) }),
                          page('devices', { path: 'devices/:id/:tab?', lazy: async () => ({ Component: (await import('./pages/DevicePage')).DevicePage }) }),
                          page('detections', { path: 'detections', lazy: async () => ({ Component: (await import('./pages/DetectionsPage')).DetectionsPage }) }),
                          page('quarantine', { path: 'quarantine', lazy: async () => ({ Component: (await import('./pages/QuarantinePage')).QuarantinePage }) }),
                          page('tasks', { path: 'tasks', lazy: async () => ({ Component: (await import('./pages/TasksPage')).TasksPage }) }),
                          page('tasks', { path: 'tasks/executions', lazy: async () => ({ Component: (await import('./pages/ExecutionsPage')).ExecutionsPage }) }),
                          page('tasks', { path: 'tasks/:id', lazy: async () => ({ Component: (await import('./pages/TaskPage')).TaskPage }) }),
                          page('enrolment', { path: 'enrolment', lazy: async () => ({ Component: (await import('./pages/EnrolmentPage')).EnrolmentPage }) }),
                          page('users', { path: 'users', lazy: async () => ({ Component: (await import('./pages/UsersPage')).UsersPage }) }),
                          page('permissionSets', { path: 'permission-sets', lazy: async () => ({ Component: (await import('./pages/SetsPage')).SetsPage }) }),
                          page('permissionSets', { path: 'permission-sets/new', lazy: async () => ({ Component: (await import('./pages/SetEditorPage')).SetEditorPage }) }),
                          page('permissionSets', { path: 'permission-sets/:id/edit', lazy: async () => ({ Component: (await import('./pages/SetEditorPage')).SetEditorPage }) }),
                          page('audit', { path: 'audit', lazy: async () => ({ Component: (await import('./pages/AuditPage')).AuditPage }) }),
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
    ],
  },
]);
