// SPDX-License-Identifier: Apache-2.0
// Short names for the contract's schemas; everything else imports them from here, never from schema.ts.
import type { components, operations } from './schema';

type Schemas = components['schemas'];

export type Access = Schemas['Access'];
export type AuditChange = Schemas['AuditChange'];
export type AuditHead = Schemas['AuditHead'];
export type AuditRecord = Schemas['AuditRecord'];
export type AuditResult = Schemas['AuditResult'];
export type Device = Schemas['Device'];
export type DeviceDetail = Schemas['DeviceDetail'];
export type DeviceProblem = Schemas['Problem_'];
export type Detection = Schemas['Detection'];
export type EnrolmentToken = Schemas['EnrolmentToken'];
export type EnrolmentTokenCreated = Schemas['EnrolmentTokenCreated'];
export type Execution = Schemas['Execution'];
export type ExecutionState = Schemas['ExecutionState'];
export type Functionality = Schemas['Functionality'];
export type Group = Schemas['Group'];
export type Language = Schemas['Language'];
export type Me = Schemas['Me'];
export type Named = Schemas['Named'];
export type Overview = Schemas['Overview'];
export type PermissionSet = Schemas['PermissionSet'];
export type PermissionSetWrite = Schemas['PermissionSetWrite'];
export type Problem = Schemas['Problem'];
export type Quarantined = Schemas['Quarantined'];
export type Right = Schemas['Right'];
export type Session = Schemas['Session'];
export type SessionGrant = Schemas['SessionGrant'];
export type Severity = Schemas['Severity'];
export type Software = Schemas['Software'];
export type Target = Schemas['Target'];
export type Task = Schemas['Task'];
export type TaskCreate = Schemas['TaskCreate'];
export type TaskType = Schemas['TaskType'];
export type TwoFactorSecret = Schemas['TwoFactorSecret'];
export type User = Schemas['User'];
export type UserPassword = Schemas['UserPassword'];

export type DeviceQuery = NonNullable<operations['device_list']['parameters']['query']>;
export type DetectionQuery = NonNullable<operations['detection_list']['parameters']['query']>;
export type TaskQuery = NonNullable<operations['task_list']['parameters']['query']>;
export type UserQuery = NonNullable<operations['user_list']['parameters']['query']>;
export type AuditQuery = NonNullable<operations['audit_list']['parameters']['query']>;
export type TargetQuery = NonNullable<operations['target_list']['parameters']['query']>;
export type ExecutionQuery = NonNullable<operations['execution_list']['parameters']['query']>;

// The contract's enumerations as values, for filters. `satisfies` fails to compile when the contract loses one.
export const DEVICE_STATUSES = ['problem', 'attention', 'ok'] as const satisfies readonly Schemas['DeviceStatus'][];
export const OS_FAMILIES = ['windows', 'macos', 'linux', 'ios', 'android'] as const satisfies readonly Schemas['OsFamily'][];
export const SEVERITIES = ['critical', 'warning', 'info'] as const satisfies readonly Schemas['Severity'][];
export const DETECTION_TYPES = ['malware', 'unwanted', 'suspicious', 'test'] as const satisfies readonly Schemas['DetectionType'][];
export const TASK_TYPES = ['scan', 'update_modules', 'show_message', 'isolate', 'end_isolation'] as const satisfies readonly TaskType[];
export const FUNCTIONALITIES = ['devices', 'detections', 'tasks', 'enrolment', 'users', 'permission_sets', 'audit'] as const satisfies readonly Functionality[];
export const ACCESS_LEVELS = ['none', 'read', 'use', 'write'] as const satisfies readonly Access[];
export const AUDIT_RESULTS = ['done', 'denied', 'failed'] as const satisfies readonly AuditResult[];
export const EXECUTION_STATES = [
  'running',
  'cancelling',
  'pending',
  'done',
  'failed',
  'cancelled',
  'refused',
] as const satisfies readonly ExecutionState[];
