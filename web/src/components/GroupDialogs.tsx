// SPDX-License-Identifier: Apache-2.0
// Moving devices to a group and making a group.
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useId, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Group } from '@/api/types';
import { queries } from '@/hooks/queries';
import { useGroupName } from '@/hooks/useFormat';
import { api, ask } from '@/services/api';
import { asProblem } from '@/services/problem';
import { showToast } from '@/services/toasts';
import { flattenTree } from '@/services/tree';
import { Bar } from './Bar';
import { ConfirmDialog } from './ConfirmDialog';
import { Field, useFieldError } from './Field';
import { Form, FormSelect, FormSelectOption, TextInput } from './pf';
import type { Target } from './TaskDialog';

const AT_ONCE = 4;
const INDENT = '\u2003';

function GroupSelect({ id, value, onChange }: { id: string; value: string; onChange: (value: string) => void }) {
  const { t } = useTranslation('devices');
  const groupName = useGroupName();
  const groups = useQuery(queries.groups());
  return (
    <FormSelect id={id} value={value} onChange={(_event, next) => onChange(next)} data-testid="group-select">
      <FormSelectOption value="" label={t('move.choose')} isDisabled />
      {flattenTree(groups.data?.items ?? []).map(({ group, depth }) => (
        <FormSelectOption key={group.id} value={group.id} label={INDENT.repeat(depth) + groupName(group.name)} />
      ))}
    </FormSelect>
  );
}

/** The contract moves one device per request; a few go at once, and those that fail are named. */
export function MoveDialog({ targets, onClose }: { targets: readonly Target[]; onClose: (moved: boolean) => void }) {
  const { t } = useTranslation('devices');
  const id = useId();
  const client = useQueryClient();
  const [group, setGroup] = useState('');
  const [done, setDone] = useState(0);
  const move = useMutation({
    mutationFn: async () => {
      const waiting = [...targets];
      let firstError: unknown;
      let failed = 0;
      const worker = async () => {
        for (let target = waiting.shift(); target; target = waiting.shift()) {
          await ask(api.PATCH('/api/v1/devices/{device_id}', { params: { path: { device_id: target.id } }, body: { group_id: group } })).catch((error: unknown) => {
            firstError ??= error;
            failed += 1;
          });
          setDone((count) => count + 1);
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, worker));
      if (failed > 0) throw firstError;
    },
    onSettled: () => {
      for (const key of ['devices', 'device', 'groups']) void client.invalidateQueries({ queryKey: [key] });
      setDone(0);
    },
    onSuccess: () => {
      showToast({ tone: 'success', title: t('move.done', { count: targets.length }) });
      onClose(true);
    },
  });
  return (
    <ConfirmDialog
      title={t('move.title', { count: targets.length })}
      confirm={t('move.confirm')}
      busy={move.isPending}
      disabled={group === ''}
      error={move.error}
      onConfirm={() => move.mutate()}
      onClose={() => onClose(false)}
    >
      <Form onSubmit={(event) => event.preventDefault()}>
        <Field id={id} label={t('move.group')} required>
          <GroupSelect id={id} value={group} onChange={setGroup} />
        </Field>
        {move.isPending && targets.length > AT_ONCE && <Bar percent={(done / targets.length) * 100} label={t('move.progress')} />}
      </Form>
    </ConfirmDialog>
  );
}

export function NewGroupDialog({ parent, onClose }: { parent: Group | undefined; onClose: () => void }) {
  const { t } = useTranslation('devices');
  const groupName = useGroupName();
  const id = useId();
  const client = useQueryClient();
  const [name, setName] = useState('');
  const create = useMutation({
    mutationFn: () => ask(api.POST('/api/v1/groups', { body: parent ? { name: name.trim(), parent_id: parent.id } : { name: name.trim() } })),
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: ['groups'] });
      showToast({ tone: 'success', title: t('newGroup.done', { name: name.trim() }) });
      onClose();
    },
  });
  const problem = create.error ? asProblem(create.error) : null;
  const fieldError = useFieldError(problem);
  const nameError = fieldError('name') ?? (problem?.code === 'name_taken' ? problem.message : undefined);
  return (
    <ConfirmDialog
      title={t('newGroup.title')}
      confirm={t('newGroup.confirm')}
      busy={create.isPending}
      disabled={!name.trim()}
      error={nameError ? undefined : create.error}
      onConfirm={() => create.mutate()}
      onClose={onClose}
    >
      <Form
        onSubmit={(event) => {
          event.preventDefault();
          if (name.trim()) create.mutate();
        }}
      >
        <Field id={id} label={t('newGroup.name')} hint={t('newGroup.below', { name: groupName(parent?.name ?? 'group.all') })} error={nameError} required>
          <TextInput id={id} value={name} maxLength={100} isRequired onChange={(_event, value) => setName(value)} aria-describedby={`${id}-help`} data-testid="group-name" />
        </Field>
      </Form>
    </ConfirmDialog>
  );
}
