// SPDX-License-Identifier: Apache-2.0
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import type { Detection, Device } from '@/api/types';
import { queries } from '@/hooks/queries';
import { useFormat } from '@/hooks/useFormat';
import { DataTable, type Column } from './DataTable';
import { ErrorState } from './ErrorState';
import { CheckIcon } from './icons';
import { ListEmpty } from './ListEmpty';
import { LocalPager, useLocalPages } from './LocalPager';
import { ActionText, ResolvedText, SeverityIcon } from './Status';

export function DeviceDetections({ device }: { device: Device }) {
  const { t } = useTranslation('detections');
  const format = useFormat();
  const pages = useLocalPages();
  const detections = useQuery(queries.detections({ device: device.id, sort: 'occurred_at', direction: 'desc', cursor: pages.cursor }));
  const columns: Column<Detection>[] = [
    {
      key: 'name',
      title: t('column.name'),
      width: 150,
      grow: true,
      cell: (row) => (
        <span className="sk-name">
          <SeverityIcon severity={row.severity} quiet={row.resolved} />
          <Link className="sk-clip" to={`/detections?device=${device.id}&show=${row.id}`} title={row.name}>
            {row.name}
          </Link>
        </span>
      ),
    },
    { key: 'action', title: t('column.action'), width: 96, cell: (row) => <ActionText detection={row} /> },
    { key: 'resolved', title: t('column.resolved'), width: 100, cell: (row) => <ResolvedText detection={row} /> },
    { key: 'occurred_at', title: t('column.occurred'), width: 136, cell: (row) => format.time(row.occurred_at) },
  ];
  if (detections.isError && !detections.data) return <ErrorState error={detections.error} onRetry={() => void detections.refetch()} />;
  return (
    <>
      <DataTable
        natural
        caption={t('title')}
        columns={columns}
        rows={detections.data?.items}
        rowName={(row) => row.name}
        empty={<ListEmpty icon={CheckIcon} title={t('empty.device')} body={t('empty.deviceBody')} />}
      />
      <LocalPager pages={pages} nextCursor={detections.data?.next_cursor} />
    </>
  );
}
