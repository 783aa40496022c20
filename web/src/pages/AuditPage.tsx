// SPDX-License-Identifier: Apache-2.0
// Who did what, newest first. All filters stand in the address, so that a finding can be sent to a colleague.
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { AUDIT_RESULTS, type AuditQuery, type AuditRecord } from '@/api/types';
import { AuditPanel } from '@/components/AuditPanel';
import { AuditResultText } from '@/components/AuditResult';
import { DataTable, type Column } from '@/components/DataTable';
import { DayRange, FilterChips, FilterSelect, ListSearch, type Chip } from '@/components/Filters';
import { AuditIcon } from '@/components/icons';
import { ListEmpty } from '@/components/ListEmpty';
import { ListPage } from '@/components/ListPage';
import { PageHeader } from '@/components/PageHeader';
import { Button } from '@/components/pf';
import { ProofDialog } from '@/components/ProofDialog';
import { queries } from '@/hooks/queries';
import { useAuditText } from '@/hooks/useAuditText';
import { useFormat } from '@/hooks/useFormat';
import { useFresh } from '@/hooks/useFresh';
import { oneOf, readTime, readUuid, useListState, type ListState } from '@/hooks/useListState';
import { useMaySee } from '@/hooks/useMe';
import { AUDIT_ACTIONS } from '@/services/audit';

const FILTERS = ['from', 'to', 'user', 'action', 'domain', 'result', 'search', 'object'];
const MOST_USERS = 200; // offered in the filter; others are found by the search

function readQuery(state: ListState): AuditQuery {
  return {
    user: readUuid(state.get('user')),
    object: readUuid(state.get('object')),
    domain: state.get('domain')?.slice(0, 40),
    action: state.get('action')?.slice(0, 64),
    result: oneOf(AUDIT_RESULTS, state.get('result')),
    search: state.get('search'),
    from: readTime(state.get('from')),
    to: readTime(state.get('to')),
    cursor: state.cursor,
    limit: state.limit,
  };
}

export function AuditPage() {
  const { t } = useTranslation('audit');
  const format = useFormat();
  const text = useAuditText();
  const state = useListState();
  const query = readQuery(state);
  const records = useQuery(queries.audit(query));
  const mayUsers = useMaySee()('users');
  const users = useQuery({ ...queries.users({ limit: MOST_USERS }), enabled: mayUsers });
  const columns = useColumns(state);
  const fresh = useFresh(records.data?.items, JSON.stringify(query), !records.isPlaceholderData);
  const [proving, setProving] = useState(false);
  const items = records.data?.items;
  const userName = (id: string) => users.data?.items.find((user) => user.id === id)?.name ?? items?.find((row) => row.user_id === id)?.user ?? id;
  const objectRecord = items?.find((row) => row.object_id === query.object && row.object_name !== '');

  const chips: Chip[] = [];
  const add = (name: string, value: string | undefined, label: string) => value !== undefined && chips.push({ name, label, value });
  add('object', query.object && (objectRecord ? text.object(objectRecord) : query.object), t('filter.object'));
  add('user', query.user && userName(query.user), t('filter.user'));
  add('domain', query.domain && text.domain(query.domain), t('filter.domain'));
  add('action', query.action && text.actionCode(query.action), t('filter.action'));
  const days = [query.from && format.time(query.from), query.to && format.time(query.to)];
  if (query.from ?? query.to) chips.push({ name: 'from', also: ['to'], label: t('filter.period'), value: t('filter.periodValue', { from: days[0] ?? '', to: days[1] ?? '' }) });
  add('result', query.result && t(`result.${query.result}`), t('filter.result'));
  add('search', query.search, t('filter.text'));

  const domains = Object.keys(AUDIT_ACTIONS);
  const actions = query.domain !== undefined && AUDIT_ACTIONS[query.domain] ? (AUDIT_ACTIONS[query.domain] ?? []) : Object.values(AUDIT_ACTIONS).flat();
  return (
    <div className="sk-page sk-fill">
      <PageHeader
        title={t('title')}
        aside={
          <Button variant="secondary" size="sm" onClick={() => setProving(true)} data-testid="audit-proof">
            {t('proof.action')}
          </Button>
        }
      />
      <ListPage
        query={records}
        state={state}
        toolbar={
          <>
            <ListSearch state={state} label={t('filter.search')} />
            <DayRange state={state} fromLabel={t('filter.from')} toLabel={t('filter.to')} />
            {users.data && <FilterSelect state={state} name="user" label={t('filter.user')} options={users.data.items.map((user) => ({ value: user.id, text: user.name }))} />}
            <FilterSelect state={state} name="domain" label={t('filter.domain')} also={['action']} options={domains.map((value) => ({ value, text: text.domain(value) }))} />
            <FilterSelect state={state} name="action" label={t('filter.action')} options={actions.map((value) => ({ value, text: text.actionCode(value) }))} />
            <FilterSelect state={state} name="result" label={t('filter.result')} options={AUDIT_RESULTS.map((value) => ({ value, text: t(`result.${value}`) }))} />
          </>
        }
        chips={<FilterChips state={state} chips={chips} />}
        panel={state.shown && <AuditPanel id={state.shown} record={items?.find((row) => row.id === state.shown)} onClose={() => state.show(null)} />}
      >
        <DataTable
          caption={t('title')}
          columns={columns}
          rows={items}
          rowName={text.action}
          shown={state.shown}
          onShow={(row) => state.show(row.id)}
          fresh={fresh}
          empty={
            <ListEmpty icon={AuditIcon} filtered={chips.length > 0} onClear={() => state.clear(FILTERS)} title={t('empty.title')} body={t('empty.body')} />
          }
        />
      </ListPage>
      {proving && <ProofDialog onClose={() => setProving(false)} />}
    </div>
  );
}

function useColumns(state: ListState): Column<AuditRecord>[] {
  const { t } = useTranslation('audit');
  const format = useFormat();
  const text = useAuditText();
  return [
    {
      key: 'at',
      title: t('column.time'),
      width: 172,
      cell: (row) => (
        <button type="button" className="sk-open sk-quiet sk-tabular" onClick={() => state.show(row.id)}>
          {format.timeExact(row.at)}
        </button>
      ),
    },
    { key: 'user', title: t('column.user'), width: 130, cell: (row) => (row.user ? <span title={row.user}>{row.user}</span> : <span className="sk-muted">{t('nobody')}</span>) },
    { key: 'action', title: t('column.action'), width: 210, cell: (row) => <span title={row.action}>{text.action(row)}</span> },
    {
      key: 'object',
      title: t('column.object'),
      width: 200,
      grow: true,
      cell: (row) => {
        const name = text.object(row);
        return (
          <span title={name}>
            <span className="sk-muted">{text.domain(row.domain)}</span> {name}
          </span>
        );
      },
    },
    { key: 'result', title: t('column.result'), width: 104, cell: (row) => <AuditResultText result={row.result} /> },
    { key: 'address', title: t('column.address'), width: 130, cell: (row) => <span className="sk-tabular" title={row.address}>{row.address}</span> },
  ];
}
