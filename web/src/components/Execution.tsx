// SPDX-License-Identifier: Apache-2.0
// Progress, result and cancelling of one execution.
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import type { Execution, ExecutionState } from '@/api/types';
import { useFormat, useMessageCode } from '@/hooks/useFormat';
import { useCan } from '@/hooks/useMe';
import { api, ask } from '@/services/api';
import { asProblem } from '@/services/problem';
import { showToast } from '@/services/toasts';
import { Bar } from './Bar';
import { useProblemText } from './ErrorState';
import { Button } from './pf';

export function isOpen(state: ExecutionState): boolean {
  return state === 'pending' || state === 'running' || state === 'cancelling';
}

export function ExecutionProgress({ execution }: { execution: Execution }) {
  const { t } = useTranslation('tasks');
  if (execution.state === 'running' || execution.state === 'cancelling') {
    return <Bar percent={execution.progress} label={t('progressOn', { name: execution.device_name })} />;
  }
  return null;
}

export function ExecutionResult({ execution }: { execution: Execution }) {
  const { t } = useTranslation('tasks');
  const message = useMessageCode();
  const format = useFormat();
  let text = '';
  if (execution.result_code) text = message('result', execution.result_code, execution.result_args);
  else if (execution.files_scanned !== undefined && isOpen(execution.state)) {
    text = execution.files_total
      ? t('scannedOf', { scanned: format.number(execution.files_scanned), total: format.number(execution.files_total), found: execution.found ?? 0 })
      : t('scanned', { scanned: format.number(execution.files_scanned), found: execution.found ?? 0 });
  }
  return <span title={text}>{text}</span>;
}

export function CancelButton({ execution }: { execution: Execution }) {
  const { t } = useTranslation('tasks');
  const can = useCan();
  const client = useQueryClient();
  const problemText = useProblemText();
  const cancel = useMutation({
    mutationFn: () => ask(api.POST('/api/v1/executions/{execution_id}/cancel', { params: { path: { execution_id: execution.id } } })),
    onError: (error) => showToast({ tone: 'danger', title: problemText(asProblem(error)).title }),
    onSettled: () => {
      for (const key of ['tasks', 'task', 'executions']) void client.invalidateQueries({ queryKey: [key] });
    },
  });
  if (!can('tasks.use') || !(execution.state === 'pending' || execution.state === 'running')) return null;
  return (
    <Button variant="link" size="sm" isInline isLoading={cancel.isPending} isDisabled={cancel.isPending} aria-label={t('cancelOn', { name: execution.device_name })} onClick={() => cancel.mutate()}>
      {t('common:action.cancel')}
    </Button>
  );
}
