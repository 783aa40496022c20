// SPDX-License-Identifier: Apache-2.0
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { DETECTION_TYPES, SEVERITIES, type Detection, type DetectionQuery } from '@/api/types';
import type { Action } from '@/components/ActionMenu';
import { DataTable, type Column } from '@/components/DataTable';
import { DetectionPanel } from '@/components/DetectionPanel';
import { DeviceLink } from '@/components/DeviceLink';
import { FilterChips, FilterSelect, ListSearch, type Chip } from '@/components/Filters';
import { CheckIcon } from '@/components/icons';
import { ListEmpty } from '@/components/ListEmpty';
import { ListPage } from '@/components/ListPage';
import { PageHeader } from '@/components/PageHeader';
import { SelectionBar } from '@/components/SelectionBar';
import { ActionText, ResolvedText, SeverityText } from '@/components/Status';
import { queries } from '@/hooks/queries';
import { useFormat } from '@/hooks/useFormat';
import { useFresh } from '@/hooks/useFresh';
import { oneOf, readTime, useListState, type ListState } from '@/hooks/useListState';
import { useCan, useMaySee } from '@/hooks/useMe';
import { useResolve } from '@/hooks/useResolve';
import { useSelection } from '@/hooks/useSelection';

const SORTS = ['occurred_at', 'name', 'severity'] as const;
const DIRECTIONS = ['asc', 'desc'] as const;
const RESOLVED = ['false', 'true'] as const;
const FILTERS = ['device', 'resolved', 'severity', 'type', 'search', 'from', 'to'];

function readQuery(state: ListState): DetectionQuery {
  const resolved = oneOf(RESOLVED, state.get('resolved'));
  const sort = oneOf(SORTS, state.get('sort')) ?? 'occurred_at';
  return {
    device: state.get('device'),
    resolved: resolved === undefined ? undefined : resolved === 'true',
    severity: oneOf(SEVERITIES, state.get('severity')),
    type: oneOf(DETECTION_TYPES, state.get('type')),
    search: state.get('search'),
    from: readTime(state.get('from')),
    to: readTime(state.get('to')),
    sort,
    direction: oneOf(DIRECTIONS, state.get('direction')) ?? 'desc',
    cursor: state.cursor,
    limit: state.limit,
  };
}

export function DetectionsPage() {
  const { t } = useTranslation('detections');
  const state = useListState();
  const can = useCan();
  const query = readQuery(state);
  const detections = useQuery(queries.detections(query));
  const selection = useSelection<Detection>();
  const resolve = useResolve(selection.clear);
  const columns = useColumns(state);
  const chips = useChips(query);
  const fresh = useFresh(detections.data?.items, JSON.stringify(query), !detections.isPlaceholderData);

  const mark = (resolved: boolean): Action => ({
    key: resolved ? 'resolve' : 'unresolve',
    text: t(resolved ? 'action.resolve' : 'action.unresolve'),
    disabled: resolve.isPending || !selection.rows.some((row) => row.resolved !== resolved),
    run: () => resolve.mutate({ ids: selection.rows.filter((row) => row.resolved !== resolved).map((row) => row.id), resolved }),
  });

  return (
    <div className="sk-page sk-fill">
      <PageHeader title={t('title')} />
      <ListPage
        query={detections}
        state={state}
        toolbar={
          selection.size > 0 ? (
            <SelectionBar size={selection.size} onClear={selection.clear} actions={[mark(true), mark(false)]} />
          ) : (
            <>
              <ListSearch state={state} label={t('filter.search')} />
              <FilterSelect state={state} name="resolved" label={t('filter.resolved')} options={RESOLVED.map((value) => ({ value, text: t(`common:enum.resolved.${value}`) }))} />
              <FilterSelect state={state} name="severity" label={t('filter.severity')} options={SEVERITIES.map((value) => ({ value, text: t(`common:enum.severity.${value}`) }))} />
              <FilterSelect state={state} name="type" label={t('filter.type')} options={DETECTION_TYPES.map((value) => ({ value, text: t(`common:enum.detectionType.${value}`) }))} />
            </>
          )
        }
        chips={<FilterChips state={state} chips={chips} />}
        panel={state.shown && <DetectionPanel id={state.shown} onClose={() => state.show(null)} />}
      >
        <DataTable
          caption={t('title')}
          columns={columns}
          rows={detections.data?.items}
          rowName={(row) => `${row.name}, ${row.device_name}`}
          sorting={{ column: query.sort ?? 'occurred_at', direction: query.direction ?? 'desc', onSort: (sort, direction) => state.set({ sort, direction }) }}
          selection={can('detections.write') ? selection : undefined}
          shown={state.shown}
          onShow={(row) => state.show(row.id)}
          fresh={fresh}
          empty={<ListEmpty icon={CheckIcon} filtered={chips.length > 0} onClear={() => state.clear(FILTERS)} title={t('empty.title')} body={t('empty.body')} />}
        />
      </ListPage>
    </div>
  );
}

function useChips(query: DetectionQuery): Chip[] {
  const { t } = useTranslation('detections');
  const format = useFormat();
  const mayDevices = useMaySee()('devices');
  const device = useQuery({ ...queries.device(query.device ?? ''), enabled: query.device !== undefined && mayDevices });
  const period = [query.from, query.to].map((time) => (time ? format.time(time) : ''));
  const chips: (Chip | false | undefined | '')[] = [
    query.device !== undefined && { name: 'device', label: t('filter.device'), value: device.data?.device.name ?? query.device },
    query.resolved !== undefined && { name: 'resolved', label: t('filter.resolved'), value: t(`common:enum.resolved.${query.resolved}`) },
    query.severity && { name: 'severity', label: t('filter.severity'), value: t(`common:enum.severity.${query.severity}`) },
    query.type && { name: 'type', label: t('filter.type'), value: t(`common:enum.detectionType.${query.type}`) },
    (query.from ?? query.to) && { name: 'from', also: ['to'], label: t('filter.period'), value: t('filter.periodValue', { from: period[0], to: period[1] }) },
    query.search !== undefined && { name: 'search', label: t('filter.text'), value: query.search },
  ];
  return chips.filter((chip): chip is Chip => Boolean(chip));
}

function useColumns(state: ListState): Column<Detection>[] {
  const { t } = useTranslation('detections');
  const format = useFormat();
  return [
    {
      key: 'name',
      title: t('column.name'),
      width: 194,
      sortable: true,
      cell: (row) => (
        <button type="button" className="sk-open" title={row.name} onClick={() => state.show(row.id)}>
          {row.name}
        </button>
      ),
    },
    { key: 'severity', title: t('column.severity'), width: 92, sortable: true, descendingFirst: true, cell: (row) => <SeverityText severity={row.severity} quiet={row.resolved} /> },
    { key: 'occurred_at', title: t('column.occurred'), width: 140, sortable: true, descendingFirst: true, cell: (row) => <span className="sk-tabular" title={format.timeExact(row.occurred_at)}>{format.time(row.occurred_at)}</span> },
    { key: 'resolved', title: t('column.resolved'), width: 106, cell: (row) => <ResolvedText detection={row} /> },
    { key: 'action', title: t('column.action'), width: 104, cell: (row) => <ActionText detection={row} /> },
    {
      key: 'device',
      title: t('column.device'),
      width: 130,
      cell: (row) => <DeviceLink quiet id={row.device_id} name={row.device_name} />,
    },
    {
      key: 'object',
      title: t('column.object'),
      width: 180,
      grow: true,
      cell: (row) => (
        <span className="sk-path" title={row.object}>
          <bdi>{row.object}</bdi>
        </span>
      ),
    },
    { key: 'user', title: t('column.user'), width: 100, cell: (row) => <span title={row.user}>{row.user}</span> },
    { key: 'type', title: t('column.type'), width: 108, cell: (row) => t(`common:enum.detectionType.${row.type}`) },
  ];
}
