// SPDX-License-Identifier: Apache-2.0
// Steps through a keyset-paged list. There are no page numbers: a cursor knows only what comes next.
import { useTranslation } from 'react-i18next';
import { useFormat } from '@/hooks/useFormat';
import { PAGE_SIZES, type ListState } from '@/hooks/useListState';
import { CaretLeftIcon, CaretRightIcon } from './icons';
import { Button } from './pf';

interface Props {
  state: ListState;
  page: { items: readonly unknown[]; total?: number; next_cursor?: string } | undefined;
}

export function Pager({ state, page }: Props) {
  const { t } = useTranslation();
  const format = useFormat();
  const count = page?.items.length ?? 0;
  const total = page?.total;
  const range =
    state.offset === null || count === 0
      ? null
      : `${format.number(state.offset + 1)}–${format.number(state.offset + count)}`;
  return (
    <nav className="sk-pager" aria-label={t('table.paging')}>
      <span className="sk-pager-range" data-testid="pager-range">
        {page && range && total !== undefined && t('table.rangeOfTotal', { range, total: format.number(total) })}
        {page && range && total === undefined && t('table.range', { range })}
        {page && !range && total !== undefined && t('table.total', { total: format.number(total), count: total })}
      </span>
      <label>
        <span className="sk-muted">{t('table.perPage')}</span>{' '}
        <select value={state.limit} onChange={(event) => state.setLimit(Number(event.target.value))}>
          {PAGE_SIZES.map((size) => (
            <option key={size} value={size}>
              {size}
            </option>
          ))}
        </select>
      </label>
      {state.cursor !== undefined && (
        <Button variant="link" size="sm" onClick={state.first}>
          {t('table.firstPage')}
        </Button>
      )}
      <Button variant="plain" size="sm" aria-label={t('table.previousPage')} isDisabled={!state.previous} onClick={() => state.previous?.()} icon={<CaretLeftIcon />} />
      <Button
        variant="plain"
        size="sm"
        aria-label={t('table.nextPage')}
        isDisabled={!page?.next_cursor}
        onClick={() => page?.next_cursor && state.next(page.next_cursor)}
        icon={<CaretRightIcon />}
      />
    </nav>
  );
}
