// SPDX-License-Identifier: Apache-2.0
// Columns of execution lists, with or without the task's name.
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import type { Execution } from '@/api/types';
import type { Column } from '@/components/DataTable';
import { DeviceLink } from '@/components/DeviceLink';
import { CancelButton, ExecutionProgress, ExecutionResult } from '@/components/Execution';
import { ExecutionStateText } from '@/components/Status';
import { useFormat, useTaskName } from './useFormat';

export function useExecutionColumns(options: { withTask: boolean }): Column<Execution>[] {
  const { t } = useTranslation('tasks');
  const format = useFormat();
  const taskName = useTaskName();
  const columns: Column<Execution>[] = [
    {
      key: 'device',
      title: t('column.device'),
      width: 180,
      cell: (row) => <DeviceLink id={row.device_id} name={row.device_name} tab="tasks" />,
    },
    { key: 'state', title: t('column.state'), width: 120, cell: (row) => <ExecutionStateText execution={row} /> },
    { key: 'progress', title: t('column.progress'), width: 150, cell: (row) => <ExecutionProgress execution={row} /> },
    { key: 'result', title: t('column.result'), width: 240, grow: true, cell: (row) => <ExecutionResult execution={row} /> },
    { key: 'started', title: t('column.started'), width: 154, cell: (row) => <span className="sk-tabular">{row.started_at && format.time(row.started_at)}</span> },
    { key: 'ended', title: t('column.ended'), width: 154, cell: (row) => <span className="sk-tabular">{row.ended_at && format.time(row.ended_at)}</span> },
    { key: 'actions', title: t('column.actions'), width: 100, quiet: true, cell: (row) => <CancelButton execution={row} /> },
  ];
  if (!options.withTask) return columns;
  return [
    ...columns.slice(0, 1),
    {
      key: 'task',
      title: t('column.task'),
      width: 160,
      cell: (row) => <Link to={`/tasks/${row.task_id}`}>{taskName({ type: row.task_type, name: row.task_name })}</Link>,
    },
    ...columns.slice(1),
  ];
}
