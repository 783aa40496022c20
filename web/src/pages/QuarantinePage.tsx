// SPDX-License-Identifier: Apache-2.0
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import type { Quarantined } from '@/api/types';
import { CopyButton } from '@/components/CopyBlock';
import { DataTable, type Column } from '@/components/DataTable';
import { DeviceLink } from '@/components/DeviceLink';
import { FilterChips, type Chip } from '@/components/Filters';
import { QuarantineIcon } from '@/components/icons';
import { ListEmpty } from '@/components/ListEmpty';
import { ListPage } from '@/components/ListPage';
import { PageHeader } from '@/components/PageHeader';
import { Button } from '@/components/pf';
import { queries } from '@/hooks/queries';
import { useFormat } from '@/hooks/useFormat';
import { useListState } from '@/hooks/useListState';
import { useMaySee } from '@/hooks/useMe';

const HASH_SHOWN = 12;

export function QuarantinePage() {
  const { t } = useTranslation('detections');
  const format = useFormat();
  const state = useListState();
  const deviceId = state.get('device');
  const mayDevices = useMaySee()('devices');
  const quarantine = useQuery(queries.quarantine({ device: deviceId, cursor: state.cursor, limit: state.limit }));
  const device = useQuery({ ...queries.device(deviceId ?? ''), enabled: deviceId !== undefined && mayDevices });
  const chips: Chip[] = deviceId ? [{ name: 'device', label: t('filter.device'), value: device.data?.device.name ?? deviceId }] : [];
  const columns: Column<Quarantined>[] = [
    { key: 'name', title: t('column.name'), width: 220, cell: (row) => <span title={row.name}>{row.name}</span> },
    {
      key: 'object',
      title: t('column.object'),
      width: 260,
      grow: true,
      cell: (row) => (
        <span className="sk-path" title={row.object}>
          <bdi>{row.object}</bdi>
        </span>
      ),
    },
    {
      key: 'device',
      title: t('column.device'),
      width: 180,
      cell: (row) => <DeviceLink quiet id={row.device_id} name={row.device_name} tab="detections" />,
    },
    { key: 'size', title: t('column.size'), width: 90, numeric: true, cell: (row) => format.bytes(row.size_bytes) },
    {
      key: 'sha256',
      title: t('column.hash'),
      width: 150,
      cell: (row) => (
        <span className="sk-hash-cell">
          <span className="sk-mono" title={row.sha256}>
            {row.sha256.slice(0, HASH_SHOWN)}
          </span>
          <CopyButton text={row.sha256} label={t('action.copyHash')} />
        </span>
      ),
    },
    { key: 'at', title: t('column.quarantined'), width: 154, cell: (row) => <span className="sk-tabular">{format.time(row.quarantined_at)}</span> },
    {
      key: 'only',
      title: t('column.filter'),
      width: 124,
      quiet: true,
      cell: (row) =>
        deviceId === undefined && (
          <Button variant="link" size="sm" isInline aria-label={t('quarantine.onlyNamed', { name: row.device_name })} onClick={() => state.set({ device: row.device_id })}>
            {t('quarantine.only')}
          </Button>
        ),
    },
  ];
  return (
    <div className="sk-page sk-fill">
      <PageHeader title={t('quarantine.title')} />
      <ListPage query={quarantine} state={state} chips={<FilterChips state={state} chips={chips} />}>
        <DataTable
          caption={t('quarantine.title')}
          columns={columns}
          rows={quarantine.data?.items}
          rowName={(row) => row.name}
          empty={<ListEmpty icon={QuarantineIcon} filtered={chips.length > 0} onClear={() => state.clear(['device'])} title={t('quarantine.empty')} body={t('quarantine.emptyBody')} />}
        />
      </ListPage>
    </div>
  );
}
