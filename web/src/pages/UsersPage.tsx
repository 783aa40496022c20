// SPDX-License-Identifier: Apache-2.0
// The people who sign in.
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { User, UserPassword, UserQuery } from '@/api/types';
import { DataTable, type Column } from '@/components/DataTable';
import { FilterChips, FilterSelect, ListSearch, type Chip } from '@/components/Filters';
import { UsersIcon } from '@/components/icons';
import { ListEmpty } from '@/components/ListEmpty';
import { ListPage } from '@/components/ListPage';
import { PageHeader } from '@/components/PageHeader';
import { Button } from '@/components/pf';
import { FirstPasswordDialog, UserDialog } from '@/components/UserDialogs';
import { UserPanel } from '@/components/UserPanel';
import { SecondFactorStatus, UserStatus } from '@/components/UserStatus';
import { queries } from '@/hooks/queries';
import { useFormat, useSetName } from '@/hooks/useFormat';
import { oneOf, readUuid, useListState, type ListState } from '@/hooks/useListState';
import { useCan, useMaySee } from '@/hooks/useMe';
import { useNow } from '@/hooks/useNow';

const YES_NO = ['true', 'false'] as const;
const FILTERS = ['search', 'set', 'enabled'];

function readQuery(state: ListState): UserQuery {
  const enabled = oneOf(YES_NO, state.get('enabled'));
  return {
    search: state.get('search'),
    set: readUuid(state.get('set')),
    enabled: enabled === undefined ? undefined : enabled === 'true',
    cursor: state.cursor,
    limit: state.limit,
  };
}

export function UsersPage() {
  const { t } = useTranslation('users');
  const setName = useSetName();
  const state = useListState();
  const may = useCan()('users.write');
  const query = readQuery(state);
  const users = useQuery(queries.users(query));
  const maySets = useMaySee()('permissionSets');
  const sets = useQuery({ ...queries.permissionSets(), enabled: maySets });
  const columns = useColumns(state);
  const [creating, setCreating] = useState(false);
  const [created, setCreated] = useState<UserPassword | null>(null);

  const chips: Chip[] = [];
  const set = sets.data?.items.find((one) => one.id === query.set);
  if (query.set !== undefined) chips.push({ name: 'set', label: t('filter.set'), value: set ? setName(set) : query.set });
  if (query.enabled !== undefined) chips.push({ name: 'enabled', label: t('filter.enabled'), value: t(`filter.enabledValue.${query.enabled}`) });
  if (query.search !== undefined) chips.push({ name: 'search', label: t('filter.text'), value: query.search });

  const button = (
    <Button variant="primary" size="sm" onClick={() => setCreating(true)} data-testid="new-user">
      {t('create.action')}
    </Button>
  );
  return (
    <div className="sk-page sk-fill">
      <PageHeader title={t('title')} aside={may && button} />
      <ListPage
        query={users}
        state={state}
        toolbar={
          <>
            <ListSearch state={state} label={t('filter.search')} />
            {sets.data && <FilterSelect state={state} name="set" label={t('filter.set')} options={sets.data.items.map((one) => ({ value: one.id, text: setName(one) }))} />}
            <FilterSelect state={state} name="enabled" label={t('filter.enabled')} options={YES_NO.map((value) => ({ value, text: t(`filter.enabledValue.${value}`) }))} />
          </>
        }
        chips={<FilterChips state={state} chips={chips} />}
        panel={state.shown && <UserPanel id={state.shown} onClose={() => state.show(null)} />}
      >
        <DataTable
          caption={t('title')}
          columns={columns}
          rows={users.data?.items}
          rowName={(row) => row.name}
          shown={state.shown}
          onShow={(row) => state.show(row.id)}
          empty={<ListEmpty icon={UsersIcon} filtered={chips.length > 0} onClear={() => state.clear(FILTERS)} title={t('empty.title')} body={t('empty.body')} action={may && button} />}
        />
      </ListPage>
      {creating && (
        <UserDialog
          onClose={(result) => {
            setCreating(false);
            if (result && 'password' in result) setCreated(result);
          }}
        />
      )}
      {created && (
        <FirstPasswordDialog
          made={created}
          created
          onClose={() => {
            setCreated(null);
            state.show(created.user.id);
          }}
        />
      )}
    </div>
  );
}

function useColumns(state: ListState): Column<User>[] {
  const { t } = useTranslation('users');
  const format = useFormat();
  const setName = useSetName();
  const now = useNow(30_000);
  return [
    {
      key: 'name',
      title: t('column.name'),
      width: 150,
      cell: (row) => (
        <span className="sk-name">
          <button type="button" className="sk-open" title={row.name} onClick={() => state.show(row.id)}>
            {row.name}
          </button>
          {row.own && <span className="sk-tag">{t('you')}</span>}
        </span>
      ),
    },
    { key: 'display', title: t('column.displayName'), width: 150, cell: (row) => <span title={row.display_name}>{row.display_name}</span> },
    {
      key: 'sets',
      title: t('column.sets'),
      width: 180,
      grow: true,
      cell: (row) => {
        const names = row.sets.map(setName).join(t('listSeparator'));
        return row.sets.length > 0 ? <span title={names}>{names}</span> : <span className="sk-muted">{t('noSets')}</span>;
      },
    },
    { key: 'state', title: t('column.state'), width: 176, cell: (row) => <UserStatus user={row} now={now} /> },
    { key: 'factor', title: t('column.secondFactor'), width: 128, cell: (row) => <SecondFactorStatus user={row} /> },
    {
      key: 'last',
      title: t('column.lastSignIn'),
      width: 150,
      cell: (row) => (row.last_sign_in_at ? <span className="sk-tabular">{format.time(row.last_sign_in_at)}</span> : <span className="sk-muted">{t('never')}</span>),
    },
  ];
}
