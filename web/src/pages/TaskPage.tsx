// SPDX-License-Identifier: Apache-2.0
// One task: what it does, how far it is, and each device's part in it.
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link, useParams } from 'react-router';
import { EXECUTION_STATES, type Task } from '@/api/types';
import { ActionMenu } from '@/components/ActionMenu';
import { Bar } from '@/components/Bar';
import { ConfirmDialog } from '@/components/ConfirmDialog';
import { DataTable } from '@/components/DataTable';
import { ErrorState } from '@/components/ErrorState';
import { ExecutionCounts } from '@/components/ExecutionCounts';
import { Facts } from '@/components/Facts';
import { FilterChips, FilterSelect, type Chip } from '@/components/Filters';
import { TasksIcon } from '@/components/icons';
import { ListEmpty } from '@/components/ListEmpty';
import { ListPage } from '@/components/ListPage';
import { PageHeader } from '@/components/PageHeader';
import { Button, Skeleton } from '@/components/pf';
import { queries } from '@/hooks/queries';
import { useAuditActions } from '@/hooks/useAuditActions';
import { useExecutionColumns } from '@/hooks/useExecutionColumns';
import { useFormat, useTaskName } from '@/hooks/useFormat';
import { oneOf, useListState } from '@/hooks/useListState';
import { useCan, useMaySee } from '@/hooks/useMe';
import { api, ask } from '@/services/api';
import { showToast } from '@/services/toasts';

export function TaskPage() {
  const { t } = useTranslation('tasks');
  const { id = '' } = useParams();
  const can = useCan();
  const taskName = useTaskName();
  const [cancelling, setCancelling] = useState(false);
  const task = useQuery(queries.task(id));
  const audit = useAuditActions(task.data?.id);
  const open = task.data ? task.data.executions.pending + task.data.executions.running : 0;
  const title = task.data ? taskName(task.data) : t('task');
  return (
    <div className="sk-page sk-fill">
      <PageHeader
        title={title}
        before={
          <nav aria-label={t('common:shell.breadcrumb')} className="sk-crumbs">
            <Link to="/tasks">{t('title')}</Link>
          </nav>
        }
        aside={
          <>
            {can('tasks.use') && open > 0 && (
              <Button variant="secondary" size="sm" onClick={() => setCancelling(true)} data-testid="cancel-task">
                {t('cancelAll.action')}
              </Button>
            )}
            <ActionMenu label={t('actionsOf', { name: title })} text={t('common:action.actions')} actions={audit} testId="task-actions" />
          </>
        }
      />
      {task.isError && !task.data && <ErrorState error={task.error} onRetry={() => void task.refetch()} />}
      {task.isPending && <Skeleton height="60px" screenreaderText={t('common:state.loading')} />}
      {task.data && <Summary task={task.data} />}
      {task.data && <Executions id={id} />}
      {cancelling && <CancelDialog id={id} open={open} onClose={() => setCancelling(false)} />}
    </div>
  );
}

function Summary({ task }: { task: Task }) {
  const { t } = useTranslation('tasks');
  const mayDetections = useMaySee()('detections');
  const format = useFormat();
  return (
    <div className="sk-card sk-summary">
      <div className="sk-summary-progress">
        <Bar percent={task.executions.progress} label={t('column.progress')} tone={task.executions.pending + task.executions.running > 0 ? 'accent' : 'quiet'} />
        <ExecutionCounts counts={task.executions} />
      </div>
      <Facts
        items={[
          { term: t('column.type'), value: t(`common:enum.taskType.${task.type}`) },
          { term: t('column.created'), value: format.time(task.created_at) },
          { term: t('column.createdBy'), value: task.created_by },
          { term: t('fact.detection'), value: task.detection_id && mayDetections && <Link to={`/detections?show=${task.detection_id}`}>{t('fact.showDetection')}</Link> },
          { term: t('dialog.scan.targets'), value: task.type === 'scan' && (task.scan?.targets?.join(', ') || t('fact.defaultTargets')), mono: Boolean(task.scan?.targets?.length) },
          { term: t('dialog.show_message.text'), value: [task.message?.title, task.message?.text].filter(Boolean).join(': ') },
        ]}
      />
    </div>
  );
}

function Executions({ id }: { id: string }) {
  const { t } = useTranslation('tasks');
  const state = useListState();
  const wanted = oneOf(EXECUTION_STATES, state.get('state'));
  const executions = useQuery(queries.executions({ task: id, state: wanted, cursor: state.cursor, limit: state.limit }));
  const columns = useExecutionColumns({ withTask: false });
  const chips: Chip[] = wanted ? [{ name: 'state', label: t('column.state'), value: t(`common:enum.executionState.${wanted}`) }] : [];
  return (
    <ListPage
      query={executions}
      state={state}
      toolbar={<FilterSelect state={state} name="state" label={t('column.state')} options={EXECUTION_STATES.map((value) => ({ value, text: t(`common:enum.executionState.${value}`) }))} />}
      chips={<FilterChips state={state} chips={chips} />}
    >
      <DataTable
        caption={t('executions')}
        columns={columns}
        rows={executions.data?.items}
        rowName={(row) => row.device_name}
        empty={<ListEmpty icon={TasksIcon} filtered={chips.length > 0} onClear={() => state.clear(['state'])} title={t('empty.executions')} body={t('empty.executionsBody')} />}
      />
    </ListPage>
  );
}

function CancelDialog({ id, open, onClose }: { id: string; open: number; onClose: () => void }) {
  const { t } = useTranslation('tasks');
  const client = useQueryClient();
  const cancel = useMutation({
    mutationFn: () => ask(api.POST('/api/v1/tasks/{task_id}/cancel', { params: { path: { task_id: id } } })),
    onSuccess: ({ changed }) => {
      for (const key of ['tasks', 'task', 'executions', 'overview']) void client.invalidateQueries({ queryKey: [key] });
      showToast({ tone: 'success', title: t('cancelAll.done', { count: changed }) });
      onClose();
    },
  });
  return (
    <ConfirmDialog title={t('cancelAll.title')} confirm={t('cancelAll.action')} danger busy={cancel.isPending} error={cancel.error} onConfirm={() => cancel.mutate()} onClose={onClose}>
      <p>{t('cancelAll.body', { count: open })}</p>
    </ConfirmDialog>
  );
}
