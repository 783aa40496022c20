// SPDX-License-Identifier: Apache-2.0
// All that is known of one person who signs in, and what can be done about the account.
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import type { User, UserPassword } from '@/api/types';
import { queries } from '@/hooks/queries';
import { useAuditActions } from '@/hooks/useAuditActions';
import { useFormat, useGroupName, useSetName } from '@/hooks/useFormat';
import { useCan, useMaySee } from '@/hooks/useMe';
import { useNow } from '@/hooks/useNow';
import { api, ask } from '@/services/api';
import { describeBrowser } from '@/services/browser';
import { showToast } from '@/services/toasts';
import { ActionMenu, type Action } from './ActionMenu';
import { ConfirmDialog } from './ConfirmDialog';
import { ErrorState } from './ErrorState';
import { Facts, Section } from './Facts';
import { Alert, Button, Skeleton } from './pf';
import { SidePanel } from './SidePanel';
import { FirstPasswordDialog, UserDialog } from './UserDialogs';
import { SecondFactorStatus, userCondition, UserStatus } from './UserStatus';

type Dialog = 'edit' | 'enable' | 'disable' | 'password' | 'factor' | 'sessions' | 'remove';

export function UserPanel({ id, onClose }: { id: string; onClose: () => void }) {
  const { t } = useTranslation('users');
  const [open, setOpen] = useState<Dialog | null>(null);
  // Not while it is being deleted: the hint of that comes before the answer, and the user would be missed.
  const reading = open !== 'remove';
  const user = useQuery({ ...queries.user(id), enabled: reading });
  const [made, setMade] = useState<UserPassword | null>(null);
  const shut = () => setOpen(null);
  return (
    <SidePanel subject={id} title={user.data?.name ?? t('panel.label')} label={t('panel.label')} onClose={onClose} actions={user.data && <Actions user={user.data} onOpen={setOpen} />}>
      {user.isError && !user.data && <ErrorState error={user.error} onRetry={() => void user.refetch()} />}
      {user.isPending && (
        <div className="sk-loading" role="status" aria-label={t('common:state.loading')}>
          {[60, 75, 50, 68].map((width) => (
            <Skeleton key={width} width={`${width}%`} height="12px" />
          ))}
        </div>
      )}
      {user.data && <Details user={user.data} reading={reading} />}
      {user.data && open === 'edit' && <UserDialog user={user.data} onClose={shut} />}
      {user.data && (open === 'enable' || open === 'disable') && <EnabledDialog user={user.data} enabled={open === 'enable'} onClose={shut} />}
      {user.data && open === 'password' && (
        <PasswordDialog
          user={user.data}
          onClose={(result) => {
            shut();
            setMade(result);
          }}
        />
      )}
      {user.data && open === 'factor' && <FactorDialog user={user.data} onClose={shut} />}
      {user.data && open === 'sessions' && <SessionsDialog user={user.data} onClose={shut} />}
      {user.data && open === 'remove' && (
        <RemoveDialog
          user={user.data}
          onClose={(removed) => (removed ? onClose() : shut())}
        />
      )}
      {made && <FirstPasswordDialog made={made} onClose={() => setMade(null)} />}
    </SidePanel>
  );
}

function Actions({ user, onOpen }: { user: User; onOpen: (dialog: Dialog) => void }) {
  const { t } = useTranslation('users');
  const may = useCan()('users.write') && user.editable;
  const audit = useAuditActions(user.id, { person: true });
  const action = (key: Dialog, more: Partial<Action> = {}): Action => ({ key, text: t(`action.${key}`), run: () => onOpen(key), ...more });
  const actions: Action[] = [];
  // What one does to the own account stands in the own menu: password, second factor, sessions.
  if (may && !user.own) {
    actions.push(action('password'));
    if (user.two_factor) actions.push(action('factor'));
    actions.push(action('sessions'), action(user.enabled ? 'disable' : 'enable', { apart: true, danger: user.enabled }), action('remove', { danger: true }));
  }
  const apart = actions.length > 0;
  actions.push(...audit.map((one, index) => (index === 0 ? { ...one, apart } : one)));
  return (
    <>
      {may && (
        <Button variant="secondary" size="sm" onClick={() => onOpen('edit')} data-testid="edit-user">
          {t('action.edit')}
        </Button>
      )}
      <ActionMenu label={t('panel.actions', { name: user.name })} text={t('common:action.actions')} actions={actions} testId="user-actions" />
    </>
  );
}

function Details({ user, reading }: { user: User; reading: boolean }) {
  const { t } = useTranslation('users');
  const format = useFormat();
  const groupName = useGroupName();
  const setName = useSetName();
  const now = useNow(30_000);
  const may = useCan()('users.write');
  const maySets = useMaySee()('permissionSets');
  return (
    <>
      {user.own && (
        <Alert variant="info" isInline title={t('own.title')} className="sk-panel-note">
          {t('own.body')}
        </Alert>
      )}
      {!user.own && may && !user.editable && (
        <Alert variant="info" isInline title={t('foreign.title')} className="sk-panel-note">
          {t('foreign.body')}
        </Alert>
      )}
      <Section title={t('section.signIn')}>
        <Facts
          items={[
            { term: t('fact.state'), value: <UserStatus user={user} now={now} /> },
            { term: t('fact.lockedUntil'), value: userCondition(user, now) === 'locked' && user.locked_until && format.time(user.locked_until) },
            { term: t('fact.secondFactor'), value: <SecondFactorStatus user={user} /> },
            { term: t('fact.secondFactorRequired'), value: t(user.two_factor_required ? 'yes' : 'no') },
            { term: t('fact.lastSignIn'), value: user.last_sign_in_at ? format.time(user.last_sign_in_at) : t('never') },
          ]}
        />
      </Section>
      <Section title={t('section.rights')}>
        <Facts
          items={[
            {
              term: t('fact.sets'),
              value:
                user.sets.length === 0 ? (
                  t('noSets')
                ) : (
                  <ul className="sk-lines">
                    {user.sets.map((set) => (
                      <li key={set.id}>{maySets ? <Link to={`/permission-sets?show=${set.id}`}>{setName(set)}</Link> : setName(set)}</li>
                    ))}
                  </ul>
                ),
            },
            { term: t('fact.homeGroup'), value: groupName(user.home_group?.name ?? 'group.all') },
          ]}
        />
      </Section>
      <Section title={t('section.person')}>
        <Facts
          items={[
            { term: t('fact.displayName'), value: user.display_name },
            { term: t('fact.email'), value: user.email },
            { term: t('fact.language'), value: t(`common:language.${user.language}`) },
            { term: t('fact.created'), value: format.time(user.created_at) },
            { term: t('fact.id'), value: user.id, mono: true },
          ]}
        />
      </Section>
      <Sessions user={user} reading={reading} />
    </>
  );
}

function Sessions({ user, reading }: { user: User; reading: boolean }) {
  const { t } = useTranslation('users');
  const format = useFormat();
  const now = useNow(30_000);
  const sessions = useQuery({ ...queries.userSessions(user.id), enabled: reading });
  return (
    <Section title={t('section.sessions')}>
      {sessions.isError && !sessions.data && <ErrorState compact error={sessions.error} onRetry={() => void sessions.refetch()} />}
      {sessions.isPending && <Skeleton height="24px" screenreaderText={t('common:state.loading')} />}
      {sessions.data?.items.length === 0 && <p className="sk-muted">{t('sessions.none')}</p>}
      {sessions.data !== undefined && sessions.data.items.length > 0 && (
        <table className="sk-plain-table">
          <thead>
            <tr>
              <th scope="col">{t('session:sessions.browser')}</th>
              <th scope="col">{t('session:sessions.address')}</th>
              <th scope="col">{t('session:sessions.used')}</th>
            </tr>
          </thead>
          <tbody>
            {sessions.data.items.map((session) => (
              <tr key={session.id}>
                <th scope="row" title={session.user_agent}>
                  {describeBrowser(session.user_agent)} {session.current && <span className="sk-tag">{t('session:sessions.current')}</span>}
                </th>
                <td className="sk-tabular">{session.address}</td>
                <td title={format.timeExact(session.last_used_at)}>{format.ago(session.last_used_at, now)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Section>
  );
}

function useRefresh(): () => void {
  const client = useQueryClient();
  return () => {
    for (const key of ['users', 'user', 'sets', 'audit']) void client.invalidateQueries({ queryKey: [key] });
  };
}

function EnabledDialog({ user, enabled, onClose }: { user: User; enabled: boolean; onClose: () => void }) {
  const { t } = useTranslation('users');
  const refresh = useRefresh();
  const change = useMutation({
    mutationFn: () =>
      ask(
        api.PUT('/api/v1/users/{user_id}', {
          params: { path: { user_id: user.id } },
          body: {
            display_name: user.display_name,
            email: user.email,
            language: user.language,
            ...(user.home_group ? { home_group_id: user.home_group.id } : {}),
            set_ids: user.sets.map((set) => set.id),
            two_factor_required: user.two_factor_required,
            enabled,
            revision: user.revision,
          },
        }),
      ),
    onSettled: refresh, // also after a conflict: what is shown next must be the newest
    onSuccess: () => {
      showToast({ tone: 'success', title: t(enabled ? 'enable.done' : 'disable.done', { name: user.name }) });
      onClose();
    },
  });
  return (
    <ConfirmDialog
      title={t(enabled ? 'enable.title' : 'disable.title', { name: user.name })}
      confirm={t(enabled ? 'action.enable' : 'action.disable')}
      danger={!enabled}
      busy={change.isPending}
      error={change.error}
      onConfirm={() => change.mutate()}
      onClose={onClose}
    >
      <p>{t(enabled ? 'enable.body' : 'disable.body')}</p>
    </ConfirmDialog>
  );
}

function PasswordDialog({ user, onClose }: { user: User; onClose: (made: UserPassword | null) => void }) {
  const { t } = useTranslation('users');
  const refresh = useRefresh();
  const reset = useMutation({
    mutationFn: () => ask(api.POST('/api/v1/users/{user_id}/password', { params: { path: { user_id: user.id } } })),
    onSuccess: (made) => {
      refresh();
      onClose(made);
    },
  });
  return (
    <ConfirmDialog title={t('password.title', { name: user.name })} confirm={t('password.confirm')} busy={reset.isPending} error={reset.error} onConfirm={() => reset.mutate()} onClose={() => onClose(null)}>
      <p>{t('password.body')}</p>
    </ConfirmDialog>
  );
}

function FactorDialog({ user, onClose }: { user: User; onClose: () => void }) {
  const { t } = useTranslation('users');
  const refresh = useRefresh();
  const reset = useMutation({
    mutationFn: () => ask(api.DELETE('/api/v1/users/{user_id}/two-factor', { params: { path: { user_id: user.id } } })),
    onSuccess: () => {
      refresh();
      showToast({ tone: 'success', title: t('factor.done', { name: user.name }) });
      onClose();
    },
  });
  return (
    <ConfirmDialog title={t('factor.title', { name: user.name })} confirm={t('factor.confirm')} danger busy={reset.isPending} error={reset.error} onConfirm={() => reset.mutate()} onClose={onClose}>
      <p>{t(user.two_factor_required ? 'factor.bodyRequired' : 'factor.body')}</p>
    </ConfirmDialog>
  );
}

function SessionsDialog({ user, onClose }: { user: User; onClose: () => void }) {
  const { t } = useTranslation('users');
  const refresh = useRefresh();
  const end = useMutation({
    mutationFn: () => ask(api.DELETE('/api/v1/users/{user_id}/sessions', { params: { path: { user_id: user.id } } })),
    onSuccess: ({ changed }) => {
      refresh();
      showToast({ tone: 'success', title: t('sessions.done', { count: changed }) });
      onClose();
    },
  });
  return (
    <ConfirmDialog title={t('sessions.title', { name: user.name })} confirm={t('sessions.confirm')} danger busy={end.isPending} error={end.error} onConfirm={() => end.mutate()} onClose={onClose}>
      <p>{t('sessions.body')}</p>
    </ConfirmDialog>
  );
}

function RemoveDialog({ user, onClose }: { user: User; onClose: (removed: boolean) => void }) {
  const { t } = useTranslation('users');
  const client = useQueryClient();
  const remove = useMutation({
    mutationFn: () => ask(api.DELETE('/api/v1/users/{user_id}', { params: { path: { user_id: user.id } } })),
    onSuccess: () => {
      onClose(true);
      client.removeQueries({ queryKey: ['user', user.id] });
      for (const key of ['users', 'sets', 'audit']) void client.invalidateQueries({ queryKey: [key] });
      showToast({ tone: 'success', title: t('remove.done', { name: user.name }) });
    },
  });
  return (
    <ConfirmDialog title={t('remove.title', { name: user.name })} confirm={t('action.remove')} danger busy={remove.isPending} error={remove.error} onConfirm={() => remove.mutate()} onClose={() => onClose(false)}>
      <p>{t('remove.body')}</p>
    </ConfirmDialog>
  );
}
