// SPDX-License-Identifier: Apache-2.0
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import { EXECUTION_STATES } from '@/api/types';
import { DataTable } from '@/components/DataTable';
import { FilterChips, FilterSelect, type Chip } from '@/components/Filters';
import { TasksIcon } from '@/components/icons';
import { ListEmpty } from '@/components/ListEmpty';
import { ListPage } from '@/components/ListPage';
import { PageHeader } from '@/components/PageHeader';
import { TaskTabs } from '@/components/TaskTabs';
import { queries } from '@/hooks/queries';
import { useExecutionColumns } from '@/hooks/useExecutionColumns';
import { oneOf, useListState } from '@/hooks/useListState';
import { useMaySee } from '@/hooks/useMe';

export function ExecutionsPage() {
  const { t } = useTranslation('tasks');
  const state = useListState();
  const mayDevices = useMaySee()('devices');
  const wanted = oneOf(EXECUTION_STATES, state.get('state'));
  const executions = useQuery(queries.executions({ state: wanted, cursor: state.cursor, limit: state.limit }));
  const columns = useExecutionColumns({ withTask: true });
  const chips: Chip[] = wanted ? [{ name: 'state', label: t('column.state'), value: t(`common:enum.executionState.${wanted}`) }] : [];
  return (
    <div className="sk-page sk-fill">
      <PageHeader title={t('executions')} aside={<TaskTabs />} />
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
          empty={<ListEmpty icon={TasksIcon} filtered={chips.length > 0} onClear={() => state.clear(['state'])} title={t('empty.title')} body={t('empty.body')} action={mayDevices && <Link to="/devices">{t('empty.action')}</Link>} />}
        />
      </ListPage>
    </div>
  );
}
