// SPDX-License-Identifier: Apache-2.0
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import type { Device, Execution } from '@/api/types';
import { queries } from '@/hooks/queries';
import { useFormat, useTaskName } from '@/hooks/useFormat';
import { DataTable, type Column } from './DataTable';
import { ErrorState } from './ErrorState';
import { ExecutionProgress, ExecutionResult } from './Execution';
import { TasksIcon } from './icons';
import { ListEmpty } from './ListEmpty';
import { LocalPager, useLocalPages } from './LocalPager';
import { ExecutionStateText } from './Status';

export function DeviceTasks({ device }: { device: Device }) {
  const { t } = useTranslation('tasks');
  const format = useFormat();
  const taskName = useTaskName();
  const pages = useLocalPages();
  const executions = useQuery(queries.executions({ device: device.id, cursor: pages.cursor }));
  const columns: Column<Execution>[] = [
    {
      key: 'task',
      title: t('column.task'),
      width: 124,
      cell: (row) => <Link to={`/tasks/${row.task_id}`}>{taskName({ type: row.task_type, name: row.task_name })}</Link>,
    },
    {
      key: 'state',
      title: t('column.state'),
      width: 104,
      cell: (row) => (row.state === 'running' ? <ExecutionProgress execution={row} /> : <ExecutionStateText execution={row} />),
    },
    { key: 'result', title: t('column.result'), width: 124, grow: true, cell: (row) => <ExecutionResult execution={row} /> },
    { key: 'created', title: t('column.created'), width: 136, cell: (row) => format.time(row.created_at) },
  ];
  if (executions.isError && !executions.data) return <ErrorState error={executions.error} onRetry={() => void executions.refetch()} />;
  return (
    <>
      <DataTable
        natural
        caption={t('executions')}
        columns={columns}
        rows={executions.data?.items}
        rowName={(row) => taskName({ type: row.task_type, name: row.task_name })}
        empty={<ListEmpty icon={TasksIcon} title={t('empty.device')} body={t('empty.deviceBody')} />}
      />
      <LocalPager pages={pages} nextCursor={executions.data?.next_cursor} />
    </>
  );
}
