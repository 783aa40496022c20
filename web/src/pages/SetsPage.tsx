// SPDX-License-Identifier: Apache-2.0
// Permission sets: what people who have them may do, and where.
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import type { PermissionSet } from '@/api/types';
import { DataTable, type Column } from '@/components/DataTable';
import { AddIcon, SetsIcon } from '@/components/icons';
import { ListEmpty } from '@/components/ListEmpty';
import { ListPage } from '@/components/ListPage';
import { PageHeader } from '@/components/PageHeader';
import { SetPanel } from '@/components/SetPanel';
import { queries } from '@/hooks/queries';
import { useFormat, useSetName, useSetPlace } from '@/hooks/useFormat';
import { useListState, type ListState } from '@/hooks/useListState';
import { useCan, useMaySee } from '@/hooks/useMe';
import { effective, fullRights } from '@/services/access';

export function SetsPage() {
  const { t } = useTranslation('access');
  const state = useListState();
  const may = useCan()('permission_sets.write');
  const sets = useQuery(queries.permissionSets());
  const setName = useSetName();
  const columns = useColumns(state);
  return (
    <div className="sk-page sk-fill">
      <PageHeader
        title={t('sets.title')}
        aside={
          may && (
            <Link className="pf-v6-c-button pf-m-primary pf-m-small" to="/permission-sets/new" data-testid="new-set">
              <AddIcon /> {t('sets.new')}
            </Link>
          )
        }
      />
      <p className="sk-lead">{t('sets.lead')}</p>
      <ListPage query={sets} panel={state.shown && <SetPanel id={state.shown} onClose={() => state.show(null)} />}>
        <DataTable
          caption={t('sets.title')}
          columns={columns}
          rows={sets.data?.items}
          rowName={setName}
          shown={state.shown}
          onShow={(row) => state.show(row.id)}
          empty={<ListEmpty icon={SetsIcon} title={t('sets.empty')} body={t('sets.lead')} />}
        />
      </ListPage>
    </div>
  );
}

function useColumns(state: ListState): Column<PermissionSet>[] {
  const { t } = useTranslation('access');
  const format = useFormat();
  const setName = useSetName();
  const place = useSetPlace();
  const mayUsers = useMaySee()('users');
  return [
    {
      key: 'name',
      title: t('sets.column.name'),
      width: 200,
      cell: (row) => (
        <button type="button" className="sk-open" title={setName(row)} onClick={() => state.show(row.id)}>
          {setName(row)}
        </button>
      ),
    },
    { key: 'kind', title: t('sets.column.kind'), width: 104, cell: (row) => (row.built_in ? <span className="sk-muted">{t('sets.builtIn')}</span> : t('sets.own')) },
    { key: 'where', title: t('sets.column.where'), width: 170, cell: (row) => <span title={place(row)}>{place(row)}</span> },
    {
      key: 'rights',
      title: t('sets.column.rights'),
      width: 260,
      grow: true,
      cell: (row) => {
        const text = fullRights(row.rights)
          .filter((right) => effective(right) !== 'none')
          .map((right) => t('right', { functionality: t(`functionality.${right.functionality}`), level: t(`level.${effective(right)}`) }))
          .join(t('sets.separator'));
        return <span title={text}>{text}</span>;
      },
    },
    {
      key: 'users',
      title: t('sets.column.users'),
      width: 84,
      numeric: true,
      cell: (row) => (mayUsers && row.users > 0 ? <Link to={`/users?set=${row.id}`}>{format.number(row.users)}</Link> : <span className={row.users > 0 ? undefined : 'sk-muted'}>{format.number(row.users)}</span>),
    },
    { key: 'changed', title: t('sets.column.changed'), width: 150, cell: (row) => <span className="sk-tabular">{row.changed_at && format.time(row.changed_at)}</span> },
  ];
}
