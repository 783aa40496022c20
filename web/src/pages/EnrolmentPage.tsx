// SPDX-License-Identifier: Apache-2.0
// Tokens with which devices join. The secret of a new one is shown once, inside the commands that use it.
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useId, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { EnrolmentToken, EnrolmentTokenCreated } from '@/api/types';
import { ConfirmDialog } from '@/components/ConfirmDialog';
import { CopyBlock } from '@/components/CopyBlock';
import { DataTable, type Column } from '@/components/DataTable';
import { Field, useFieldError } from '@/components/Field';
import { CheckIcon, ClockIcon, EnrolIcon, RefusedIcon } from '@/components/icons';
import { ListEmpty } from '@/components/ListEmpty';
import { ListPage } from '@/components/ListPage';
import { PageHeader } from '@/components/PageHeader';
import { Alert, Button, Form, FormSelect, FormSelectOption, Modal, ModalBody, ModalFooter, ModalHeader, TextInput } from '@/components/pf';
import { Status } from '@/components/Status';
import { queries } from '@/hooks/queries';
import { useFormat, useGroupName } from '@/hooks/useFormat';
import { useCan } from '@/hooks/useMe';
import { useNow } from '@/hooks/useNow';
import { api, ask } from '@/services/api';
import { installCommands } from '@/services/install';
import { asProblem } from '@/services/problem';
import { showToast } from '@/services/toasts';
import { flattenTree } from '@/services/tree';

export function EnrolmentPage() {
  const { t } = useTranslation('enrolment');
  const can = useCan()('enrolment.write');
  const tokens = useQuery(queries.enrolmentTokens());
  const columns = useColumns();
  const [creating, setCreating] = useState(false);
  const [created, setCreated] = useState<EnrolmentTokenCreated | null>(null);
  const button = (
    <Button variant="primary" size="sm" onClick={() => setCreating(true)} data-testid="new-token">
      {t('create.action')}
    </Button>
  );
  return (
    <div className="sk-page sk-fill">
      <PageHeader title={t('title')} aside={can && button} />
      <p className="sk-lead">{t('lead')}</p>
      <ListPage query={tokens}>
        <DataTable
          caption={t('title')}
          columns={columns}
          rows={tokens.data?.items}
          rowName={(row) => row.name}
          empty={<ListEmpty icon={EnrolIcon} title={t('empty.title')} body={t('empty.body')} action={can && button} />}
        />
      </ListPage>
      {creating && (
        <CreateDialog
          onClose={(result) => {
            setCreating(false);
            setCreated(result);
          }}
        />
      )}
      {created && <SecretDialog created={created} onClose={() => setCreated(null)} />}
    </div>
  );
}

function useColumns(): Column<EnrolmentToken>[] {
  const { t } = useTranslation('enrolment');
  const format = useFormat();
  const groupName = useGroupName();
  const now = useNow(30_000);
  return [
    { key: 'name', title: t('column.name'), width: 220, grow: true, cell: (row) => <span title={row.name}>{row.name}</span> },
    { key: 'state', title: t('column.state'), width: 120, cell: (row) => <TokenState token={row} now={now} /> },
    { key: 'group', title: t('column.group'), width: 180, cell: (row) => groupName(row.group_name) },
    {
      key: 'uses',
      title: t('column.uses'),
      width: 110,
      numeric: true,
      cell: (row) => (row.max_uses === undefined ? format.number(row.uses) : t('usesOf', { uses: format.number(row.uses), most: format.number(row.max_uses) })),
    },
    { key: 'expires', title: t('column.expires'), width: 160, cell: (row) => <span className="sk-tabular">{row.expires_at && format.time(row.expires_at)}</span> },
    { key: 'created', title: t('column.created'), width: 160, cell: (row) => <span className="sk-tabular">{format.time(row.created_at)}</span> },
    { key: 'actions', title: t('column.actions'), width: 110, quiet: true, cell: (row) => <RevokeButton token={row} now={now} /> },
  ];
}

type TokenCondition = 'valid' | 'revoked' | 'expired' | 'used_up';

export function tokenCondition(token: EnrolmentToken, now: number): TokenCondition {
  if (token.revoked) return 'revoked';
  if (token.expires_at !== undefined && Date.parse(token.expires_at) <= now) return 'expired';
  if (token.max_uses !== undefined && token.uses >= token.max_uses) return 'used_up';
  return 'valid';
}

function TokenState({ token, now }: { token: EnrolmentToken; now: number }) {
  const { t } = useTranslation('enrolment');
  const condition = tokenCondition(token, now);
  const icon = condition === 'valid' ? <CheckIcon /> : condition === 'expired' ? <ClockIcon /> : <RefusedIcon />;
  return <Status icon={icon}>{t(`condition.${condition}`)}</Status>;
}

function RevokeButton({ token, now }: { token: EnrolmentToken; now: number }) {
  const { t } = useTranslation('enrolment');
  const can = useCan();
  const client = useQueryClient();
  const [asking, setAsking] = useState(false);
  const revoke = useMutation({
    mutationFn: () => ask(api.DELETE('/api/v1/enrolment-tokens/{token_id}', { params: { path: { token_id: token.id } } })),
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: ['enrolment'] });
      showToast({ tone: 'success', title: t('revoke.done', { name: token.name }) });
      setAsking(false);
    },
  });
  if (!can('enrolment.write') || tokenCondition(token, now) !== 'valid') return null;
  return (
    <>
      <Button variant="link" size="sm" isInline isDanger aria-label={t('revoke.named', { name: token.name })} onClick={() => setAsking(true)}>
        {t('revoke.action')}
      </Button>
      {asking && (
        <ConfirmDialog title={t('revoke.title', { name: token.name })} confirm={t('revoke.action')} danger busy={revoke.isPending} error={revoke.error} onConfirm={() => revoke.mutate()} onClose={() => setAsking(false)}>
          <p>{t('revoke.body')}</p>
        </ConfirmDialog>
      )}
    </>
  );
}

function CreateDialog({ onClose }: { onClose: (created: EnrolmentTokenCreated | null) => void }) {
  const { t } = useTranslation('enrolment');
  const ids = useId();
  const client = useQueryClient();
  const groupName = useGroupName();
  const mayGroups = useCan()('devices.read');
  const groups = useQuery({ ...queries.groups(), enabled: mayGroups });
  const [values, setValues] = useState({ name: '', group: '', days: '30', uses: '' });
  const set = (name: keyof typeof values) => (_event: unknown, value: string) => setValues((before) => ({ ...before, [name]: value }));
  const days = wholeNumber(values.days, 1, 365);
  const uses = values.uses === '' ? undefined : wholeNumber(values.uses, 1, 100_000);
  const wrongDays = days === null ? t('create.range', { least: 1, most: 365 }) : undefined;
  const wrongUses = uses === null ? t('create.range', { least: 1, most: 100_000 }) : undefined;
  const create = useMutation({
    mutationFn: () =>
      ask(
        api.POST('/api/v1/enrolment-tokens', {
          body: {
            name: values.name.trim(),
            ...(values.group ? { group_id: values.group } : {}),
            valid_days: days ?? 30,
            ...(uses ? { max_uses: uses } : {}),
          },
        }),
      ),
    onSuccess: (result) => {
      void client.invalidateQueries({ queryKey: ['enrolment'] });
      onClose(result);
    },
  });
  const problem = create.error ? asProblem(create.error) : null;
  const fieldError = useFieldError(problem);
  const bound = ['name', 'group_id', 'valid_days', 'max_uses'].some((field) => fieldError(field));
  const nameError = fieldError('name') ?? (problem?.code === 'name_taken' ? problem.message : undefined);
  return (
    <ConfirmDialog
      title={t('create.title')}
      confirm={t('create.confirm')}
      busy={create.isPending}
      disabled={!values.name.trim() || days === null || uses === null}
      error={bound || nameError ? undefined : create.error}
      onConfirm={() => create.mutate()}
      onClose={() => onClose(null)}
    >
      <Form onSubmit={(event) => event.preventDefault()}>
        <Field id={`${ids}-name`} label={t('create.name')} hint={t('create.nameHint')} error={nameError} required>
          <TextInput id={`${ids}-name`} value={values.name} maxLength={100} isRequired onChange={set('name')} aria-describedby={`${ids}-name-help`} data-testid="token-name" />
        </Field>
        <Field id={`${ids}-group`} label={t('create.group')} error={fieldError('group_id')}>
          <FormSelect id={`${ids}-group`} value={values.group} onChange={set('group')}>
            <FormSelectOption value="" label={groupName('group.lost_and_found')} />
            {flattenTree(groups.data?.items ?? [])
              .filter(({ group }) => group.name !== 'group.lost_and_found')
              .map(({ group, depth }) => (
                <FormSelectOption key={group.id} value={group.id} label={'\u2003'.repeat(depth) + groupName(group.name)} />
              ))}
          </FormSelect>
        </Field>
        <Field id={`${ids}-days`} label={t('create.days')} error={wrongDays ?? fieldError('valid_days')} required>
          <TextInput id={`${ids}-days`} type="number" min={1} max={365} value={values.days} onChange={set('days')} validated={wrongDays ? 'error' : 'default'} aria-describedby={`${ids}-days-help`} />
        </Field>
        <Field id={`${ids}-uses`} label={t('create.uses')} hint={t('create.usesHint')} error={wrongUses ?? fieldError('max_uses')}>
          <TextInput id={`${ids}-uses`} type="number" min={1} max={100_000} value={values.uses} onChange={set('uses')} validated={wrongUses ? 'error' : 'default'} aria-describedby={`${ids}-uses-help`} />
        </Field>
      </Form>
    </ConfirmDialog>
  );
}

function wholeNumber(text: string, least: number, most: number): number | null {
  const value = Number(text);
  return /^\d+$/.test(text) && value >= least && value <= most ? value : null;
}

function SecretDialog({ created, onClose }: { created: EnrolmentTokenCreated; onClose: () => void }) {
  const { t } = useTranslation('enrolment');
  return (
    <Modal variant="medium" isOpen onClose={onClose} aria-label={t('secret.title')}>
      <ModalHeader title={t('secret.title')} />
      <ModalBody tabIndex={0}>
        <Alert variant="warning" isInline title={t('secret.once')} />
        <h3 className="sk-step">{t('secret.token')}</h3>
        <CopyBlock text={created.secret} label={t('secret.token')} testId="token-secret" />
        <h3 className="sk-step">{t('secret.commands')}</h3>
        <p className="sk-muted">{t('secret.commandsHint', { host: created.agent_host, port: created.agent_port })}</p>
        <CopyBlock text={installCommands(created)} label={t('secret.commands')} testId="install-commands" />
      </ModalBody>
      <ModalFooter>
        <Button variant="primary" onClick={onClose}>
          {t('secret.done')}
        </Button>
      </ModalFooter>
    </Modal>
  );
}
