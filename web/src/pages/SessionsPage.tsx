// SPDX-License-Identifier: Apache-2.0
// Where one is signed in, and ending what should not be.
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import type { Session } from '@/api/types';
import { DataTable, type Column } from '@/components/DataTable';
import { useProblemText } from '@/components/ErrorState';
import { UserIcon } from '@/components/icons';
import { ListEmpty } from '@/components/ListEmpty';
import { ListPage } from '@/components/ListPage';
import { PageHeader } from '@/components/PageHeader';
import { Button } from '@/components/pf';
import { queries } from '@/hooks/queries';
import { useFormat } from '@/hooks/useFormat';
import { useNow } from '@/hooks/useNow';
import { api, ask } from '@/services/api';
import { describeBrowser } from '@/services/browser';
import { asProblem } from '@/services/problem';
import { signOut } from '@/services/session';
import { showToast } from '@/services/toasts';

export function SessionsPage() {
  const { t } = useTranslation('session');
  const format = useFormat();
  const now = useNow(30_000);
  const sessions = useQuery(queries.sessions());
  const columns: Column<Session>[] = [
    {
      key: 'browser',
      title: t('sessions.browser'),
      width: 240,
      grow: true,
      cell: (row) => (
        <span title={row.user_agent}>
          {describeBrowser(row.user_agent)} {row.current && <span className="sk-tag">{t('sessions.current')}</span>}
        </span>
      ),
    },
    { key: 'address', title: t('sessions.address'), width: 160, cell: (row) => <span className="sk-tabular">{row.address}</span> },
    { key: 'created', title: t('sessions.created'), width: 170, cell: (row) => <span className="sk-tabular">{format.time(row.created_at)}</span> },
    { key: 'used', title: t('sessions.used'), width: 150, cell: (row) => <span title={format.timeExact(row.last_used_at)}>{format.ago(row.last_used_at, now)}</span> },
    { key: 'end', title: t('sessions.actions'), width: 130, quiet: true, cell: (row) => <EndButton session={row} /> },
  ];
  return (
    <div className="sk-page sk-fill">
      <PageHeader title={t('sessions.title')} />
      <ListPage query={sessions}>
        <DataTable
          caption={t('sessions.title')}
          columns={columns}
          rows={sessions.data?.items}
          rowName={(row) => describeBrowser(row.user_agent)}
          empty={<ListEmpty icon={UserIcon} title={t('sessions.none')} body={t('sessions.noneBody')} />}
        />
      </ListPage>
    </div>
  );
}

function EndButton({ session }: { session: Session }) {
  const { t } = useTranslation('session');
  const client = useQueryClient();
  const problemText = useProblemText();
  const end = useMutation({
    mutationFn: () => ask(api.DELETE('/api/v1/sessions/{session_id}', { params: { path: { session_id: session.id } } })),
    onSuccess: () => showToast({ tone: 'success', title: t('sessions.ended') }),
    onError: (error) => showToast({ tone: 'danger', title: problemText(asProblem(error)).title }),
    onSettled: () => void client.invalidateQueries({ queryKey: ['sessions'] }),
  });
  if (session.current) {
    return (
      <Button variant="link" size="sm" isInline onClick={() => void signOut()}>
        {t('common:shell.signOut')}
      </Button>
    );
  }
  return (
    <Button variant="link" size="sm" isInline isDanger isLoading={end.isPending} isDisabled={end.isPending} aria-label={t('sessions.endNamed', { name: describeBrowser(session.user_agent) })} onClick={() => end.mutate()}>
      {t('sessions.end')}
    </Button>
  );
}
