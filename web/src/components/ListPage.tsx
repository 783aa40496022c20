// SPDX-License-Identifier: Apache-2.0
// The frame of every list: toolbar or selection bar, chips, the table (or its failure), pager, and the panel beside it.
import type { UseQueryResult } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import type { ListState } from '@/hooks/useListState';
import { asProblem } from '@/services/problem';
import { ErrorState } from './ErrorState';
import { Button } from './pf';
import { Pager } from './Pager';

interface Props {
  query: Pick<UseQueryResult<{ items: readonly unknown[]; total?: number; next_cursor?: string }>, 'data' | 'error' | 'isError' | 'refetch' | 'isPlaceholderData'>;
  state?: ListState;
  before?: ReactNode;
  toolbar?: ReactNode;
  chips?: ReactNode;
  panel?: ReactNode;
  children: ReactNode;
}

export function ListPage({ query, state, before, toolbar, chips, panel, children }: Props) {
  const failed = query.isError && (!query.data || query.isPlaceholderData);
  return (
    <div className="sk-list">
      {before}
      <div className="sk-list-main">
        {toolbar && <div className="sk-toolbar">{toolbar}</div>}
        {chips}
        {query.isError && !failed && <ErrorState compact error={query.error} onRetry={() => void query.refetch()} />}
        {failed ? <FailedList query={query} state={state} /> : <div className={query.isPlaceholderData ? 'sk-list-table sk-stale' : 'sk-list-table'}>{children}</div>}
        {state && !failed && <Pager state={state} page={query.data} />}
      </div>
      {panel}
    </div>
  );
}

function FailedList({ query, state }: Pick<Props, 'query' | 'state'>) {
  const { t } = useTranslation();
  const badCursor = asProblem(query.error).code === 'cursor_invalid';
  return (
    <div className="sk-list-table">
      <ErrorState error={query.error} onRetry={() => void query.refetch()} />
      {badCursor && state && (
        <p className="sk-centred">
          <Button variant="link" onClick={state.first}>
            {t('table.firstPage')}
          </Button>
        </p>
      )}
    </div>
  );
}
