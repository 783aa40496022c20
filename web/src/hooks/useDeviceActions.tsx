// SPDX-License-Identifier: Apache-2.0
// What can be done with devices, from a selection, a row, the panel or the page: the same actions and dialogs everywhere.
import { useState, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import type { Device, TaskType } from '@/api/types';
import type { Action } from '@/components/ActionMenu';
import { MoveDialog } from '@/components/GroupDialogs';
import { TaskDialog, type TaskRequest } from '@/components/TaskDialog';
import { useAuditActions } from './useAuditActions';
import { useCan } from './useMe';

/** Most devices of one task (the contract's maxItems). */
export const MOST_DEVICES = 500;

export function useDeviceActions(devices: readonly Device[], onDone?: () => void): { actions: Action[]; dialog: ReactNode } {
  const { t } = useTranslation('devices');
  const can = useCan();
  const [task, setTask] = useState<TaskRequest | null>(null);
  const [moving, setMoving] = useState(false);
  const tooMany = devices.length > MOST_DEVICES;
  const ask = (type: TaskType, targets: readonly Device[]): Action => ({
    key: type,
    text: t(`action.${type}`),
    disabled: targets.length === 0 || tooMany,
    run: () => setTask({ type, targets: targets.map(({ id, name }) => ({ id, name })) }),
  });

  const actions: Action[] = [];
  if (can('tasks.write')) {
    const isolated = devices.filter((device) => device.isolated);
    const open = devices.filter((device) => !device.isolated);
    actions.push(ask('scan', devices), ask('update_modules', devices), ask('show_message', devices));
    // Offer only what changes something: a mixed selection gets both.
    if (open.length > 0) actions.push({ ...ask('isolate', open), apart: true, danger: true });
    if (isolated.length > 0) actions.push({ ...ask('end_isolation', isolated), apart: open.length === 0 });
  }
  if (can('devices.write')) {
    actions.push({ key: 'move', text: t('action.move'), apart: true, disabled: devices.length === 0 || tooMany, run: () => setMoving(true) });
  }

  const one = devices.length === 1 ? devices[0]?.id : undefined;
  const audit = useAuditActions(one, { apart: actions.length > 0 });
  actions.push(...audit);

  const dialog = (
    <>
      {task && (
        <TaskDialog
          request={task}
          onClose={(created) => {
            setTask(null);
            if (created) onDone?.();
          }}
        />
      )}
      {moving && (
        <MoveDialog
          targets={devices}
          onClose={(moved) => {
            setMoving(false);
            if (moved) onDone?.();
          }}
        />
      )}
    </>
  );
  return { actions, dialog };
}
