// SPDX-License-Identifier: Apache-2.0
// Every read of the API, once. The first element of a key names what a change hint invalidates.
import { infiniteQueryOptions, keepPreviousData, queryOptions } from '@tanstack/react-query';
import type { AuditQuery, DetectionQuery, DeviceQuery, ExecutionQuery, TaskQuery, UserQuery } from '@/api/types';
import { api, ask } from '@/services/api';

const AUDIT_EVERY_MS = 20_000;
const list = { placeholderData: keepPreviousData } as const;

export const queries = {
  me: () =>
    queryOptions({
      queryKey: ['me'],
      queryFn: ({ signal }) => ask(api.GET('/api/v1/me', { signal })),
      staleTime: 5 * 60_000,
    }),
  sessions: () =>
    queryOptions({
      queryKey: ['sessions'],
      queryFn: ({ signal }) => ask(api.GET('/api/v1/sessions', { signal })),
    }),
  overview: () =>
    queryOptions({
      queryKey: ['overview'],
      queryFn: ({ signal }) => ask(api.GET('/api/v1/overview', { signal })),
    }),
  groups: () =>
    queryOptions({
      queryKey: ['groups'],
      queryFn: ({ signal }) => ask(api.GET('/api/v1/groups', { signal })),
    }),
  devices: (query: DeviceQuery) =>
    queryOptions({
      queryKey: ['devices', query],
      queryFn: ({ signal }) => ask(api.GET('/api/v1/devices', { params: { query }, signal })),
      ...list,
    }),
  device: (id: string) =>
    queryOptions({
      queryKey: ['device', id],
      queryFn: ({ signal }) =>
        ask(api.GET('/api/v1/devices/{device_id}', { params: { path: { device_id: id } }, signal })),
    }),
  software: (id: string, query: { search?: string; cursor?: string; limit?: number }) =>
    queryOptions({
      queryKey: ['device', id, 'software', query],
      queryFn: ({ signal }) =>
        ask(api.GET('/api/v1/devices/{device_id}/software', { params: { path: { device_id: id }, query }, signal })),
      ...list,
    }),
  detections: (query: DetectionQuery) =>
    queryOptions({
      queryKey: ['detections', query],
      queryFn: ({ signal }) => ask(api.GET('/api/v1/detections', { params: { query }, signal })),
      ...list,
    }),
  detection: (id: string) =>
    queryOptions({
      queryKey: ['detection', id],
      queryFn: ({ signal }) =>
        ask(api.GET('/api/v1/detections/{detection_id}', { params: { path: { detection_id: id } }, signal })),
    }),
  quarantine: (query: { device?: string; cursor?: string; limit?: number }) =>
    queryOptions({
      queryKey: ['quarantine', query],
      queryFn: ({ signal }) => ask(api.GET('/api/v1/quarantine', { params: { query }, signal })),
      ...list,
    }),
  tasks: (query: TaskQuery) =>
    queryOptions({
      queryKey: ['tasks', query],
      queryFn: ({ signal }) => ask(api.GET('/api/v1/tasks', { params: { query }, signal })),
      ...list,
    }),
  task: (id: string) =>
    queryOptions({
      queryKey: ['task', id],
      queryFn: ({ signal }) => ask(api.GET('/api/v1/tasks/{task_id}', { params: { path: { task_id: id } }, signal })),
    }),
  executions: (query: ExecutionQuery) =>
    queryOptions({
      queryKey: ['executions', query],
      queryFn: ({ signal }) => ask(api.GET('/api/v1/executions', { params: { query }, signal })),
      ...list,
    }),
  targets: (search: string) =>
    infiniteQueryOptions({
      queryKey: ['devices', 'targets', search],
      queryFn: ({ signal, pageParam }) =>
        ask(api.GET('/api/v1/targets', { params: { query: { limit: 100, ...(search ? { search } : {}), ...(pageParam ? { cursor: pageParam } : {}) } }, signal })),
      initialPageParam: '',
      getNextPageParam: (page) => page.next_cursor,
      ...list,
    }),
  users: (query: UserQuery) =>
    queryOptions({
      queryKey: ['users', query],
      queryFn: ({ signal }) => ask(api.GET('/api/v1/users', { params: { query }, signal })),
      ...list,
    }),
  user: (id: string) =>
    queryOptions({
      queryKey: ['user', id],
      queryFn: ({ signal }) => ask(api.GET('/api/v1/users/{user_id}', { params: { path: { user_id: id } }, signal })),
    }),
  userSessions: (id: string) =>
    queryOptions({
      queryKey: ['user', id, 'sessions'],
      queryFn: ({ signal }) => ask(api.GET('/api/v1/users/{user_id}/sessions', { params: { path: { user_id: id } }, signal })),
    }),
  permissionSets: () =>
    queryOptions({
      queryKey: ['sets'],
      queryFn: ({ signal }) => ask(api.GET('/api/v1/permission-sets', { signal })),
    }),
  permissionSet: (id: string) =>
    queryOptions({
      queryKey: ['sets', id],
      queryFn: ({ signal }) => ask(api.GET('/api/v1/permission-sets/{set_id}', { params: { path: { set_id: id } }, signal })),
    }),
  /** Has no hints: read again when somebody comes back to it, and the newest page now and then while it is looked at. */
  audit: (query: AuditQuery) =>
    queryOptions({
      queryKey: ['audit', query],
      queryFn: ({ signal }) => ask(api.GET('/api/v1/audit', { params: { query }, signal })),
      staleTime: 0,
      refetchInterval: query.cursor === undefined ? AUDIT_EVERY_MS : false,
      ...list,
    }),
  auditHead: () =>
    queryOptions({
      queryKey: ['audit', 'head'],
      queryFn: ({ signal }) => ask(api.GET('/api/v1/audit/head', { signal })),
      staleTime: 0,
    }),
  enrolmentTokens: () =>
    queryOptions({
      queryKey: ['enrolment'],
      queryFn: ({ signal }) => ask(api.GET('/api/v1/enrolment-tokens', { signal })),
    }),
};
