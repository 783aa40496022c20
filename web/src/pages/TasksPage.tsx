// SPDX-License-Identifier: Apache-2.0
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link, useNavigate } from 'react-router';
import { TASK_TYPES, type Task } from '@/api/types';
import { Bar } from '@/components/Bar';
import { DataTable, type Column } from '@/components/DataTable';
import { ExecutionCounts } from '@/components/ExecutionCounts';
import { FilterChips, FilterSelect, type Chip } from '@/components/Filters';
import { TasksIcon } from '@/components/icons';
import { ListEmpty } from '@/components/ListEmpty';
import { ListPage } from '@/components/ListPage';
import { NewTaskDialog } from '@/components/NewTaskDialog';
import { PageHeader } from '@/components/PageHeader';
import { Button } from '@/components/pf';
import { TaskTabs } from '@/components/TaskTabs';
import { queries } from '@/hooks/queries';
import { useFormat, useTaskName } from '@/hooks/useFormat';
import { oneOf, useListState } from '@/hooks/useListState';
import { useCan } from '@/hooks/useMe';

export function TasksPage() {
  const { t } = useTranslation('tasks');
  const format = useFormat();
  const taskName = useTaskName();
  const navigate = useNavigate();
  const may = useCan()('tasks.write');
  const [creating, setCreating] = useState(false);
  const state = useListState();
  const type = oneOf(TASK_TYPES, state.get('type'));
  const tasks = useQuery(queries.tasks({ type, cursor: state.cursor, limit: state.limit }));
  const chips: Chip[] = type ? [{ name: 'type', label: t('column.type'), value: t(`common:enum.taskType.${type}`) }] : [];
  const columns: Column<Task>[] = [
    { key: 'name', title: t('column.task'), width: 220, grow: true, cell: (task) => <Link to={`/tasks/${task.id}`} title={taskName(task)}>{taskName(task)}</Link> },
    { key: 'type', title: t('column.type'), width: 150, cell: (task) => t(`common:enum.taskType.${task.type}`) },
    { key: 'devices', title: t('column.devices'), width: 84, numeric: true, cell: (task) => format.number(task.executions.total) },
    {
      key: 'progress',
      title: t('column.progress'),
      width: 150,
      cell: (task) =>
        task.executions.pending + task.executions.running > 0 ? <Bar percent={task.executions.progress} label={t('progressOf', { name: taskName(task) })} /> : <span className="sk-muted">{t('ended')}</span>,
    },
    { key: 'states', title: t('column.states'), width: 260, cell: (task) => <ExecutionCounts counts={task.executions} /> },
    { key: 'by', title: t('column.createdBy'), width: 130, cell: (task) => task.created_by },
    { key: 'at', title: t('column.created'), width: 154, cell: (task) => <span className="sk-tabular">{format.time(task.created_at)}</span> },
  ];
  const button = may && (
    <Button variant="primary" size="sm" onClick={() => setCreating(true)} data-testid="new-task">
      {t('new.action')}
    </Button>
  );
  return (
    <div className="sk-page sk-fill">
      <PageHeader title={t('title')} aside={
          <>
            <TaskTabs />
            {button}
          </>
        } />
      <ListPage
        query={tasks}
        state={state}
        toolbar={<FilterSelect state={state} name="type" label={t('column.type')} options={TASK_TYPES.map((value) => ({ value, text: t(`common:enum.taskType.${value}`) }))} />}
        chips={<FilterChips state={state} chips={chips} />}
      >
        <DataTable
          caption={t('title')}
          columns={columns}
          rows={tasks.data?.items}
          rowName={taskName}
          onShow={(task) => void navigate(`/tasks/${task.id}`)}
          empty={
            <ListEmpty icon={TasksIcon} filtered={chips.length > 0} onClear={() => state.clear(['type'])} title={t('empty.title')} body={t('empty.body')} action={button} />
          }
        />
      </ListPage>
      {creating && <NewTaskDialog onClose={() => setCreating(false)} />}
    </div>
  );
}
