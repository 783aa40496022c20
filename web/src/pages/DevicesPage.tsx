// SPDX-License-Identifier: Apache-2.0
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import { DEVICE_STATUSES, OS_FAMILIES, type Device, type DeviceQuery } from '@/api/types';
import { ActionMenu, ClosedMenu } from '@/components/ActionMenu';
import { DataTable, type Column } from '@/components/DataTable';
import { DevicePanel } from '@/components/DevicePanel';
import { ErrorState } from '@/components/ErrorState';
import { FilterChips, FilterSelect, ListSearch, type Chip } from '@/components/Filters';
import { NewGroupDialog } from '@/components/GroupDialogs';
import { GroupTree } from '@/components/GroupTree';
import { AddIcon, DevicesIcon, IsolatedIcon } from '@/components/icons';
import { ListEmpty } from '@/components/ListEmpty';
import { ListPage } from '@/components/ListPage';
import { OsLabel } from '@/components/OsLabel';
import { PageHeader } from '@/components/PageHeader';
import { Button, Skeleton } from '@/components/pf';
import { SelectionBar } from '@/components/SelectionBar';
import { DeviceStatus, LastSeen, Protection } from '@/components/Status';
import { queries } from '@/hooks/queries';
import { MOST_DEVICES, useDeviceActions } from '@/hooks/useDeviceActions';
import { useFormat, useGroupName } from '@/hooks/useFormat';
import { oneOf, useListState, type ListState } from '@/hooks/useListState';
import { useCan, useMaySee } from '@/hooks/useMe';
import { useNow } from '@/hooks/useNow';
import { useSelection } from '@/hooks/useSelection';

const SORTS = ['name', 'last_seen', 'os_name', 'problems', 'unresolved', 'enrolled_at'] as const;
const DIRECTIONS = ['asc', 'desc'] as const;
const YES_NO = ['true', 'false'] as const;

function readQuery(state: ListState): DeviceQuery {
  const isolated = oneOf(YES_NO, state.get('isolated'));
  return {
    group: state.get('group'),
    status: oneOf(DEVICE_STATUSES, state.get('status')),
    os: oneOf(OS_FAMILIES, state.get('os')),
    problems_only: state.get('problems_only') === 'true' || undefined,
    isolated: isolated === undefined ? undefined : isolated === 'true',
    search: state.get('search'),
    sort: oneOf(SORTS, state.get('sort')) ?? 'name',
    direction: oneOf(DIRECTIONS, state.get('direction')) ?? 'asc',
    cursor: state.cursor,
    limit: state.limit,
  };
}

export function DevicesPage() {
  const { t } = useTranslation('devices');
  const state = useListState();
  const query = readQuery(state);
  const devices = useQuery(queries.devices(query));
  const selection = useSelection<Device>();
  const columns = useColumns(state);
  const chips = useChips(state, query);
  const can = useCan();
  const maySee = useMaySee();
  const { actions, dialog } = useDeviceActions(selection.rows, selection.clear);

  return (
    <div className="sk-page sk-fill">
      <PageHeader title={t('title')} />
      <ListPage
        query={devices}
        state={state}
        before={<Groups state={state} />}
        toolbar={
          selection.size > 0 ? (
            <SelectionBar
              size={selection.size}
              onClear={selection.clear}
              actions={actions}
              note={selection.size > MOST_DEVICES ? t('tooMany', { count: MOST_DEVICES }) : undefined}
            />
          ) : (
            <Toolbar state={state} />
          )
        }
        chips={<FilterChips state={state} chips={chips} />}
        panel={state.shown && <DevicePanel id={state.shown} onClose={() => state.show(null)} />}
      >
        <DataTable
          caption={t('title')}
          columns={columns}
          rows={devices.data?.items}
          rowName={(device) => device.name}
          sorting={{ column: query.sort ?? 'name', direction: query.direction ?? 'asc', onSort: (sort, direction) => state.set({ sort, direction }) }}
          selection={can('tasks.write') || can('devices.write') ? selection : undefined}
          shown={state.shown}
          onShow={(device) => state.show(device.id)}
          empty={
            <ListEmpty
              icon={DevicesIcon}
              filtered={chips.length > 0}
              onClear={() => state.clear(['group', 'status', 'os', 'problems_only', 'isolated', 'search'])}
              title={t('empty.title')}
              body={t('empty.body')}
              action={maySee('enrolment') && <Link to="/enrolment">{t('empty.action')}</Link>}
            />
          }
        />
      </ListPage>
      {dialog}
    </div>
  );
}

function Toolbar({ state }: { state: ListState }) {
  const { t } = useTranslation('devices');
  const problemsOnly = state.get('problems_only') === 'true';
  return (
    <>
      <ListSearch state={state} label={t('filter.search')} />
      <Button
        variant="control"
        size="sm"
        className={problemsOnly ? 'sk-toggle sk-set' : 'sk-toggle'}
        aria-pressed={problemsOnly}
        onClick={() => state.set({ problems_only: problemsOnly ? null : 'true' })}
        data-testid="problems-only"
      >
        {t('filter.problemsOnly')}
      </Button>
      <FilterSelect state={state} name="status" label={t('filter.status')} options={DEVICE_STATUSES.map((value) => ({ value, text: t(`common:enum.status.${value}`) }))} />
      <FilterSelect state={state} name="os" label={t('filter.os')} options={OS_FAMILIES.map((value) => ({ value, text: t(`common:enum.os.${value}`) }))} />
      <FilterSelect state={state} name="isolated" label={t('filter.isolated')} options={YES_NO.map((value) => ({ value, text: t(`filter.isolatedValue.${value}`) }))} />
    </>
  );
}

function useChips(state: ListState, query: DeviceQuery): Chip[] {
  const { t } = useTranslation('devices');
  const groupName = useGroupName();
  const groups = useQuery(queries.groups());
  const chips: (Chip | false | undefined)[] = [
    query.group !== undefined && {
      name: 'group',
      label: t('filter.group'),
      value: groupName(groups.data?.items.find((group) => group.id === query.group)?.name ?? query.group),
    },
    query.problems_only && { name: 'problems_only', label: t('filter.show'), value: t('filter.problemsOnly') },
    query.status && { name: 'status', label: t('filter.status'), value: t(`common:enum.status.${query.status}`) },
    query.os && { name: 'os', label: t('filter.os'), value: t(`common:enum.os.${query.os}`) },
    query.isolated !== undefined && { name: 'isolated', label: t('filter.isolated'), value: t(`filter.isolatedValue.${query.isolated}`) },
    query.search !== undefined && { name: 'search', label: t('filter.text'), value: query.search },
  ];
  void state;
  return chips.filter((chip): chip is Chip => Boolean(chip));
}

function useColumns(state: ListState): Column<Device>[] {
  const { t } = useTranslation('devices');
  const format = useFormat();
  const groupName = useGroupName();
  const now = useNow(10_000);
  const maySee = useMaySee();
  const mayDetections = maySee('detections');
  const can = useCan();
  const mayAct = can('tasks.write') || can('devices.write') || maySee('audit');
  const columns: Column<Device>[] = [
    {
      key: 'name',
      title: t('column.name'),
      width: 128,
      grow: true,
      sortable: true,
      cell: (device) => (
        <span className="sk-name">
          <button type="button" className="sk-open" title={device.name} onClick={() => state.show(device.id)}>
            {device.name}
          </button>
          {device.isolated && (
            <span className="sk-accent" title={t('common:enum.isolated')}>
              <IsolatedIcon aria-hidden="true" />
              <span className="sk-hidden">{t('common:enum.isolated')}</span>
            </span>
          )}
        </span>
      ),
    },
    { key: 'problems', title: t('column.status'), width: 102, sortable: true, descendingFirst: true, cell: (device) => <DeviceStatus device={device} /> },
    { key: 'last_seen', title: t('column.lastSeen'), width: 116, sortable: true, descendingFirst: true, cell: (device) => <LastSeen device={device} now={now} /> },
    { key: 'protection', title: t('column.protection'), width: 100, cell: (device) => <Protection device={device} /> },
    {
      key: 'unresolved',
      title: t('column.unresolved'),
      width: 92,
      sortable: true,
      descendingFirst: true,
      numeric: true,
      cell: (device) =>
        device.unresolved > 0 && mayDetections ? <Link to={`/detections?device=${device.id}&resolved=false`}>{format.number(device.unresolved)}</Link> : <span className={device.unresolved > 0 ? undefined : 'sk-muted'}>{format.number(device.unresolved)}</span>,
    },
    { key: 'os_name', title: t('column.os'), width: 168, sortable: true, cell: (device) => <OsLabel device={device} /> },
    { key: 'ip', title: t('column.ip'), width: 110, cell: (device) => <span className="sk-tabular">{device.ip}</span> },
    { key: 'group', title: t('column.group'), width: 96, cell: (device) => <span title={groupName(device.group_name)}>{groupName(device.group_name)}</span> },
    {
      key: 'actions',
      title: t('column.actions'),
      width: 44,
      quiet: true,
      cell: (device) => <RowActions device={device} />,
    },
  ];
  return mayAct ? columns : columns.filter((column) => column.key !== 'actions');
}

function RowActions({ device }: { device: Device }) {
  const { t } = useTranslation('devices');
  const [wanted, setWanted] = useState(false);
  if (!wanted) return <ClosedMenu label={t('panel.actions', { name: device.name })} onOpen={() => setWanted(true)} />;
  return <RowMenu device={device} />;
}

function RowMenu({ device }: { device: Device }) {
  const { t } = useTranslation('devices');
  const { actions, dialog } = useDeviceActions([device]);
  return (
    <>
      <ActionMenu startOpen label={t('panel.actions', { name: device.name })} actions={actions} />
      {dialog}
    </>
  );
}

function Groups({ state }: { state: ListState }) {
  const { t } = useTranslation('devices');
  const can = useCan();
  const groups = useQuery(queries.groups());
  const [adding, setAdding] = useState(false);
  const items = groups.data?.items;
  const chosen = state.get('group');
  return (
    <nav className="sk-groups" aria-label={t('tree.label')}>
      <div className="sk-groups-head">
        <h2>{t('tree.title')}</h2>
        {can('devices.write') && <Button variant="plain" size="sm" aria-label={t('newGroup.title')} title={t('newGroup.title')} onClick={() => setAdding(true)} icon={<AddIcon />} />}
      </div>
      {groups.isError && !items && <ErrorState compact error={groups.error} onRetry={() => void groups.refetch()} />}
      {items ? (
        <GroupTree groups={items} chosen={chosen} onChoose={(group) => state.set({ group: group?.id ?? null })} />
      ) : (
        <div className="sk-loading" aria-hidden="true">
          <Skeleton height="12px" />
          <Skeleton height="12px" width="70%" />
        </div>
      )}
      {adding && <NewGroupDialog parent={items?.find((group) => group.id === chosen && !group.built_in)} onClose={() => setAdding(false)} />}
    </nav>
  );
}
