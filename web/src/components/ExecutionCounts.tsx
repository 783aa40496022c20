// SPDX-License-Identifier: Apache-2.0
// States of a task's executions in one line; only states that occur, colour only for failures.
import { useTranslation } from 'react-i18next';
import type { Task } from '@/api/types';
import { useFormat } from '@/hooks/useFormat';

const STATES = ['failed', 'refused', 'running', 'pending', 'done', 'cancelled'] as const;

export function ExecutionCounts({ counts }: { counts: Task['executions'] }) {
  const { t } = useTranslation('tasks');
  const format = useFormat();
  return (
    <span className="sk-counts">
      {STATES.filter((state) => counts[state] > 0).map((state) => (
        <span key={state} className={state === 'failed' ? 'sk-danger' : state === 'refused' ? 'sk-warning' : undefined}>
          {t(`common:enum.executionState.${state}`)} <b>{format.number(counts[state])}</b>
        </span>
      ))}
    </span>
  );
}
