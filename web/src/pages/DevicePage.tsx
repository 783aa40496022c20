// SPDX-License-Identifier: Apache-2.0
// One device on a page of its own, with what changes the device itself: name, certificate, removal.
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useId, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link, useNavigate, useParams } from 'react-router';
import type { Device } from '@/api/types';
import { ActionMenu, type Action } from '@/components/ActionMenu';
import { ConfirmDialog } from '@/components/ConfirmDialog';
import { DEVICE_TABS, DeviceTabs, type DeviceTab } from '@/components/DeviceTabs';
import { Field, useFieldError } from '@/components/Field';
import { PageHeader } from '@/components/PageHeader';
import { Button, Form, TextArea, TextInput } from '@/components/pf';
import { queries } from '@/hooks/queries';
import { useDeviceActions } from '@/hooks/useDeviceActions';
import { oneOf } from '@/hooks/useListState';
import { useCan } from '@/hooks/useMe';
import { api, ask } from '@/services/api';
import { asProblem } from '@/services/problem';
import { showToast } from '@/services/toasts';

type Dialog = 'edit' | 'revoke' | 'remove';

export function DevicePage() {
  const { t } = useTranslation('devices');
  const { id = '', tab } = useParams();
  const navigate = useNavigate();
  const can = useCan();
  const detail = useQuery(queries.device(id));
  const device = detail.data?.device;
  const { actions, dialog } = useDeviceActions(device ? [device] : []);
  const [open, setOpen] = useState<Dialog | null>(null);
  const active: DeviceTab = oneOf(DEVICE_TABS, tab) ?? 'overview';
  const name = device?.name ?? t('panel.label');
  const more: Action[] = can('devices.write')
    ? [
        { key: 'revoke', text: t('action.revoke'), danger: true, apart: true, disabled: detail.data?.certificate_revoked, run: () => setOpen('revoke') },
        { key: 'remove', text: t('action.remove'), danger: true, run: () => setOpen('remove') },
      ]
    : [];

  return (
    <div className="sk-page sk-narrow">
      <PageHeader
        title={name}
        page={`/devices/${id}`}
        before={
          <nav aria-label={t('common:shell.breadcrumb')} className="sk-crumbs">
            <Link to="/devices">{t('title')}</Link>
          </nav>
        }
        aside={
          device && (
            <>
              {can('devices.write') && (
                <Button variant="secondary" size="sm" onClick={() => setOpen('edit')}>
                  {t('action.edit')}
                </Button>
              )}
              <ActionMenu label={t('panel.actions', { name })} text={t('common:action.actions')} actions={[...actions, ...more]} testId="device-actions" />
            </>
          )
        }
      />
      <DeviceTabs id={id} tab={active} onTab={(next) => void navigate(`/devices/${id}/${next}`, { replace: true })} />
      {dialog}
      {device && open === 'edit' && <EditDialog device={device} onClose={() => setOpen(null)} />}
      {device && open === 'revoke' && <RevokeDialog device={device} onClose={() => setOpen(null)} />}
      {device && open === 'remove' && <RemoveDialog device={device} onClose={() => setOpen(null)} />}
    </div>
  );
}

interface DialogProps {
  device: Device;
  onClose: () => void;
}

function EditDialog({ device, onClose }: DialogProps) {
  const { t } = useTranslation('devices');
  const ids = useId();
  const client = useQueryClient();
  const [name, setName] = useState(device.name);
  const [description, setDescription] = useState(device.description ?? '');
  const save = useMutation({
    mutationFn: () => ask(api.PATCH('/api/v1/devices/{device_id}', { params: { path: { device_id: device.id } }, body: { name: name.trim(), description: description.trim() } })),
    onSuccess: (detail) => {
      client.setQueryData(queries.device(device.id).queryKey, detail);
      void client.invalidateQueries({ queryKey: ['devices'] });
      showToast({ tone: 'success', title: t('edit.done') });
      onClose();
    },
  });
  const problem = save.error ? asProblem(save.error) : null;
  const fieldError = useFieldError(problem);
  const bound = fieldError('name') ?? fieldError('description');
  return (
    <ConfirmDialog title={t('edit.title')} confirm={t('common:action.save')} busy={save.isPending} disabled={!name.trim()} error={bound ? undefined : save.error} onConfirm={() => save.mutate()} onClose={onClose}>
      <Form onSubmit={(event) => event.preventDefault()}>
        <Field id={`${ids}-name`} label={t('edit.name')} error={fieldError('name')} required>
          <TextInput id={`${ids}-name`} value={name} maxLength={255} isRequired onChange={(_event, value) => setName(value)} />
        </Field>
        <Field id={`${ids}-description`} label={t('edit.description')} error={fieldError('description')}>
          <TextArea id={`${ids}-description`} value={description} maxLength={1000} rows={3} onChange={(_event, value) => setDescription(value)} />
        </Field>
      </Form>
    </ConfirmDialog>
  );
}

function RevokeDialog({ device, onClose }: DialogProps) {
  const { t } = useTranslation('devices');
  const client = useQueryClient();
  const revoke = useMutation({
    mutationFn: () => ask(api.DELETE('/api/v1/devices/{device_id}/certificate', { params: { path: { device_id: device.id } } })),
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: ['device', device.id] });
      showToast({ tone: 'success', title: t('revoke.done', { name: device.name }) });
      onClose();
    },
  });
  return (
    <ConfirmDialog title={t('revoke.title', { name: device.name })} confirm={t('action.revoke')} danger busy={revoke.isPending} error={revoke.error} onConfirm={() => revoke.mutate()} onClose={onClose}>
      <p>{t('revoke.body')}</p>
    </ConfirmDialog>
  );
}

function RemoveDialog({ device, onClose }: DialogProps) {
  const { t } = useTranslation('devices');
  const client = useQueryClient();
  const navigate = useNavigate();
  const remove = useMutation({
    mutationFn: () => ask(api.DELETE('/api/v1/devices/{device_id}', { params: { path: { device_id: device.id } } })),
    onSuccess: async () => {
      await navigate('/devices', { replace: true });
      client.removeQueries({ queryKey: ['device', device.id] });
      for (const key of ['devices', 'groups', 'overview', 'me']) void client.invalidateQueries({ queryKey: [key] });
      showToast({ tone: 'success', title: t('remove.done', { name: device.name }) });
    },
  });
  return (
    <ConfirmDialog title={t('remove.title', { name: device.name })} confirm={t('action.remove')} danger busy={remove.isPending} error={remove.error} onConfirm={() => remove.mutate()} onClose={onClose}>
      <p>{t('remove.body')}</p>
    </ConfirmDialog>
  );
}
