// SPDX-License-Identifier: Apache-2.0
// One permission set: what it allows, where, for whom; and the ways to change it.
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link, useNavigate } from 'react-router';
import type { PermissionSet } from '@/api/types';
import { queries } from '@/hooks/queries';
import { useAuditActions } from '@/hooks/useAuditActions';
import { useFormat, useSetName, useSetPlace } from '@/hooks/useFormat';
import { useCan, useMaySee } from '@/hooks/useMe';
import { fullRights } from '@/services/access';
import { api, ask } from '@/services/api';
import { showToast } from '@/services/toasts';
import { ActionMenu, type Action } from './ActionMenu';
import { ConfirmDialog } from './ConfirmDialog';
import { ErrorState } from './ErrorState';
import { Facts, Section } from './Facts';
import { Alert, Button, Skeleton } from './pf';
import { RightsList } from './RightsMatrix';
import { SidePanel } from './SidePanel';

export function SetPanel({ id, onClose }: { id: string; onClose: () => void }) {
  const { t } = useTranslation('access');
  const setName = useSetName();
  const [removing, setRemoving] = useState(false);
  // Not while it is being deleted: the hint of that comes before the answer, and the set would be missed.
  const set = useQuery({ ...queries.permissionSet(id), enabled: !removing });
  return (
    <SidePanel subject={id} title={set.data ? setName(set.data) : t('panel.label')} label={t('panel.label')} onClose={onClose} actions={set.data && <Actions set={set.data} onRemove={() => setRemoving(true)} />}>
      {set.isError && !set.data && <ErrorState error={set.error} onRetry={() => void set.refetch()} />}
      {set.isPending && (
        <div className="sk-loading" role="status" aria-label={t('common:state.loading')}>
          {[60, 75, 50, 68].map((width) => (
            <Skeleton key={width} width={`${width}%`} height="12px" />
          ))}
        </div>
      )}
      {set.data && <Details set={set.data} />}
      {set.data && removing && (
        <RemoveDialog
          set={set.data}
          onClose={(removed) => (removed ? onClose() : setRemoving(false))}
        />
      )}
    </SidePanel>
  );
}

function Actions({ set, onRemove }: { set: PermissionSet; onRemove: () => void }) {
  const { t } = useTranslation('access');
  const setName = useSetName();
  const navigate = useNavigate();
  const may = useCan()('permission_sets.write');
  const audit = useAuditActions(set.built_in ? undefined : set.id, { apart: may });
  const edit = may && set.editable;
  const actions: Action[] = [];
  if (edit) actions.push({ key: 'duplicate', text: t('panel.duplicate'), run: () => void navigate(`/permission-sets/new?from=${set.id}`) }, { key: 'remove', text: t('panel.remove'), danger: true, run: onRemove });
  actions.push(...audit);
  return (
    <>
      {edit && (
        <Button variant="secondary" size="sm" onClick={() => void navigate(`/permission-sets/${set.id}/edit`)} data-testid="edit-set">
          {t('panel.edit')}
        </Button>
      )}
      {may && !edit && (
        <Button variant="secondary" size="sm" onClick={() => void navigate(`/permission-sets/new?from=${set.id}`)} data-testid="duplicate-set">
          {t('panel.duplicate')}
        </Button>
      )}
      <ActionMenu label={t('panel.actions', { name: setName(set) })} text={t('common:action.actions')} actions={actions} testId="set-actions" />
    </>
  );
}

function Details({ set }: { set: PermissionSet }) {
  const { t, i18n } = useTranslation('access');
  const format = useFormat();
  const place = useSetPlace();
  const may = useCan()('permission_sets.write');
  const mayUsers = useMaySee()('users');
  const about = set.built_in && i18n.exists(`codes:about.${set.name}`) ? t(`codes:about.${set.name}`) : set.description;
  const users = t('panel.users', { count: set.users, number: format.number(set.users) });
  return (
    <>
      {may && !set.editable && (
        <Alert variant="info" isInline title={t(set.built_in ? 'panel.builtIn' : 'panel.foreign')} className="sk-panel-note">
          {t(set.built_in ? 'panel.builtInBody' : 'panel.foreignBody')}
        </Alert>
      )}
      <Section title={t('panel.summary')}>
        <Facts
          items={[
            { term: t('panel.description'), value: about },
            { term: t('sets.column.where'), value: place(set) },
            { term: t('sets.column.users'), value: mayUsers && set.users > 0 ? <Link to={`/users?set=${set.id}`}>{users}</Link> : users },
            { term: t('sets.column.changed'), value: set.changed_at && format.time(set.changed_at) },
          ]}
        />
      </Section>
      <Section title={t('matrix.allow')}>
        <RightsList rights={fullRights(set.rights)} />
      </Section>
    </>
  );
}

function RemoveDialog({ set, onClose }: { set: PermissionSet; onClose: (removed: boolean) => void }) {
  const { t } = useTranslation('access');
  const format = useFormat();
  const setName = useSetName();
  const client = useQueryClient();
  const name = setName(set);
  const used = set.users > 0;
  const remove = useMutation({
    mutationFn: () => ask(api.DELETE('/api/v1/permission-sets/{set_id}', { params: { path: { set_id: set.id } } })),
    onSuccess: () => {
      onClose(true);
      client.removeQueries({ queryKey: ['sets', set.id] });
      for (const key of ['sets', 'audit']) void client.invalidateQueries({ queryKey: [key] });
      showToast({ tone: 'success', title: t('remove.done', { name }) });
    },
  });
  return (
    <ConfirmDialog title={t('remove.title', { name })} confirm={t('panel.remove')} danger busy={remove.isPending} disabled={used} error={remove.error} onConfirm={() => remove.mutate()} onClose={() => onClose(false)}>
      <p>{used ? t('remove.used', { count: set.users, number: format.number(set.users) }) : t('remove.body')}</p>
    </ConfirmDialog>
  );
}
