// SPDX-License-Identifier: Apache-2.0
import { useQuery } from '@tanstack/react-query';
import { useDeferredValue, useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { DeviceDetail, Software } from '@/api/types';
import { queries } from '@/hooks/queries';
import { useFormat } from '@/hooks/useFormat';
import { DataTable, type Column } from './DataTable';
import { ErrorState } from './ErrorState';
import { DevicesIcon } from './icons';
import { ListEmpty } from './ListEmpty';
import { LocalPager, useLocalPages } from './LocalPager';
import { SearchInput } from './pf';

const LIMIT = 100;

export function DeviceSoftware({ detail }: { detail: DeviceDetail }) {
  const { t } = useTranslation('devices');
  const format = useFormat();
  const [text, setText] = useState('');
  const search = useDeferredValue(text.trim());
  const pages = useLocalPages();
  const software = useQuery(queries.software(detail.device.id, { search: search || undefined, cursor: pages.cursor, limit: LIMIT }));
  const rows = useMemo(
    () => software.data?.items.map((item) => ({ ...item, id: `${item.name}\n${item.version}\n${item.architecture ?? ''}` })),
    [software.data],
  );
  const columns: Column<Software & { id: string }>[] = [
    { key: 'name', title: t('software.name'), width: 150, grow: true, cell: (row) => <span title={row.name}>{row.name}</span> },
    { key: 'version', title: t('software.version'), width: 120, cell: (row) => <span title={row.version}>{row.version}</span> },
    { key: 'vendor', title: t('software.vendor'), width: 110, cell: (row) => <span title={row.vendor}>{row.vendor}</span> },
    { key: 'size', title: t('software.size'), width: 80, numeric: true, cell: (row) => (row.size_bytes ? format.bytes(row.size_bytes) : '') },
  ];
  if (software.isError && !software.data) return <ErrorState error={software.error} onRetry={() => void software.refetch()} />;
  return (
    <>
      <div className="sk-toolbar">
        <SearchInput
          className="sk-search"
          aria-label={t('software.search')}
          placeholder={t('software.search')}
          value={text}
          onChange={(_event, value) => {
            setText(value.slice(0, 100));
            pages.reset();
          }}
          onClear={() => {
            setText('');
            pages.reset();
          }}
        />
        {software.data && <span className="sk-muted sk-tabular">{t('common:table.total', { count: software.data.total, total: format.number(software.data.total) })}</span>}
      </div>
      <DataTable
        natural
        caption={t('tabs.software')}
        columns={columns}
        rows={rows}
        rowName={(row) => row.name}
        empty={<ListEmpty icon={DevicesIcon} filtered={search !== ''} onClear={() => setText('')} title={t('software.none')} body={t('software.noneBody')} />}
      />
      <LocalPager pages={pages} nextCursor={software.data?.next_cursor} />
    </>
  );
}
