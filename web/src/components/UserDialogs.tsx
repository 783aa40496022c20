// SPDX-License-Identifier: Apache-2.0
// Making and changing a user, and the first password, which is shown once.
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useId, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Language, Named, PermissionSet, User, UserPassword } from '@/api/types';
import { queries } from '@/hooks/queries';
import { useGroupName, useLanguage, useSetName, useSetPlace } from '@/hooks/useFormat';
import { useCan, useMaySee, useMe } from '@/hooks/useMe';
import { beyond } from '@/services/access';
import { api, ask } from '@/services/api';
import { LANGUAGES } from '@/services/i18n';
import { asProblem } from '@/services/problem';
import { showToast } from '@/services/toasts';
import { flattenTree } from '@/services/tree';
import { ConfirmDialog } from './ConfirmDialog';
import { CopyBlock } from './CopyBlock';
import { ErrorState } from './ErrorState';
import { Field, useFieldError } from './Field';
import { Alert, AlertActionLink, Button, Checkbox, Form, FormSelect, FormSelectOption, Modal, ModalBody, ModalFooter, ModalHeader, TextInput } from './pf';

const INDENT = '\u2003';
const FIELDS = ['name', 'display_name', 'email', 'language', 'home_group_id', 'set_ids'];

interface Props {
  user?: User;
  onClose: (result: User | UserPassword | null) => void;
}

/** The form is made anew when somebody else changed the user meanwhile and the newest is wanted. */
export function UserDialog({ user, onClose }: Props) {
  const [newest, setNewest] = useState<User>(); // read for the form itself: what the page shows may follow later
  const shown = newest ?? user;
  return <UserForm key={newest?.revision ?? 0} user={shown} onClose={onClose} onAgain={setNewest} />;
}

function UserForm({ user, onClose, onAgain }: Props & { onAgain: (newest: User) => void }) {
  const { t } = useTranslation('users');
  const ids = useId();
  const client = useQueryClient();
  const viewerLanguage = useLanguage();
  const [values, setValues] = useState({
    name: '',
    display_name: user?.display_name ?? '',
    email: user?.email ?? '',
    language: user?.language ?? viewerLanguage,
    home: user?.home_group?.id ?? '',
    required: user?.two_factor_required ?? false,
  });
  const [sets, setSets] = useState<ReadonlySet<string>>(new Set(user?.sets.map((set) => set.id)));
  const [revision] = useState(user?.revision ?? 1); // of what this form began with, whatever is read meanwhile
  const set = (name: keyof typeof values) => (_event: unknown, value: string | boolean) => setValues((before) => ({ ...before, [name]: value }));
  const own = user?.own ?? false;

  const save = useMutation<User | UserPassword>({
    mutationFn: () => {
      const shared = {
        display_name: values.display_name.trim(),
        email: values.email.trim(),
        language: values.language,
        set_ids: [...sets],
        two_factor_required: values.required,
        ...(values.home ? { home_group_id: values.home } : {}),
      };
      if (!user) return ask(api.POST('/api/v1/users', { body: { ...shared, name: values.name.trim() } }));
      return ask(api.PUT('/api/v1/users/{user_id}', { params: { path: { user_id: user.id } }, body: { ...shared, enabled: user.enabled, revision } }));
    },
    onSuccess: (result) => {
      for (const key of ['users', 'user', 'sets', 'audit', ...(own ? ['me'] : [])]) void client.invalidateQueries({ queryKey: [key] });
      if (user) showToast({ tone: 'success', title: t('edit.done', { name: user.name }) });
      onClose(result);
    },
  });
  const problem = save.error ? asProblem(save.error) : null;
  const fieldError = useFieldError(problem);
  const nameError = fieldError('name') ?? (problem?.code === 'name_taken' ? problem.message : undefined);
  const bound = nameError !== undefined || FIELDS.some((field) => fieldError(field));
  const text = (field: 'name' | 'display_name' | 'email', label: string, more: { hint?: string; required?: boolean; longest: number; error?: string | undefined; type?: 'email' }) => (
    <Field id={`${ids}-${field}`} label={label} hint={more.hint} error={more.error ?? fieldError(field)} required={more.required}>
      <TextInput
        id={`${ids}-${field}`}
        type={more.type ?? 'text'}
        value={values[field]}
        maxLength={more.longest}
        isRequired={more.required}
        autoComplete="off"
        validated={(more.error ?? fieldError(field)) ? 'error' : 'default'}
        onChange={set(field)}
        aria-describedby={`${ids}-${field}-help`}
        data-testid={`user-${field}`}
      />
    </Field>
  );
  const newest = async () => {
    if (!user) return;
    await client.cancelQueries({ queryKey: queries.user(user.id).queryKey }); // one under way may have begun before the change
    onAgain(await client.fetchQuery({ ...queries.user(user.id), staleTime: 0 }));
  };

  return (
    <ConfirmDialog
      wide
      title={user ? t('edit.title', { name: user.name }) : t('create.title')}
      confirm={user ? t('common:action.save') : t('create.confirm')}
      busy={save.isPending}
      disabled={(!user && !values.name.trim()) || !values.display_name.trim()}
      error={bound ? undefined : save.error}
      remedy={problem?.code === 'conflict' && <AlertActionLink onClick={() => void newest()}>{t('edit.newest')}</AlertActionLink>}
      onConfirm={() => save.mutate()}
      onClose={() => onClose(null)}
    >
      <Form onSubmit={(event) => event.preventDefault()} noValidate className="sk-two-columns">
        {!user && text('name', t('field.name'), { hint: t('field.nameHint'), required: true, longest: 64, error: nameError })}
        {text('display_name', t('field.displayName'), { required: true, longest: 100, hint: user ? undefined : t('field.displayNameHint') })}
        {text('email', t('field.email'), { longest: 254, type: 'email' })}
        <Field id={`${ids}-language`} label={t('field.language')} error={fieldError('language')}>
          <FormSelect id={`${ids}-language`} value={values.language} onChange={(_event, value) => setValues((before) => ({ ...before, language: value as Language }))}>
            {LANGUAGES.map((code) => (
              <FormSelectOption key={code} value={code} label={t(`common:language.${code}`)} lang={code} />
            ))}
          </FormSelect>
        </Field>
        <div className="sk-span">
          <SetChoice id={`${ids}-sets`} user={user} chosen={sets} error={fieldError('set_ids')} onChange={setSets} />
        </div>
        <HomeGroup id={`${ids}-home`} current={user?.home_group} value={values.home} error={fieldError('home_group_id')} disabled={own} onChange={(value) => setValues((before) => ({ ...before, home: value }))} />
        <div className="sk-span">
          <Checkbox
            id={`${ids}-required`}
            label={t('field.required')}
            description={t(own ? 'own.required' : 'field.requiredHint')}
            isChecked={values.required}
            isDisabled={own}
            onChange={(_event, on) => setValues((before) => ({ ...before, required: on }))}
            data-testid="user-two-factor-required"
          />
        </div>
      </Form>
    </ConfirmDialog>
  );
}

/** Tick boxes with what each set is for. What would be refused for certain is said before the click. */
function SetChoice({ id, user, chosen, error, onChange }: { id: string; user: User | undefined; chosen: ReadonlySet<string>; error: string | undefined; onChange: (chosen: ReadonlySet<string>) => void }) {
  const { t, i18n } = useTranslation('users');
  const me = useMe();
  const setName = useSetName();
  const place = useSetPlace();
  const may = useMaySee()('permissionSets');
  const sets = useQuery({ ...queries.permissionSets(), enabled: may });
  const own = user?.own ?? false;
  const known: readonly (Named | PermissionSet)[] = sets.data?.items ?? (may ? [] : (user?.sets ?? []));
  const about = (set: Named | PermissionSet): string | undefined => {
    if (!('rights' in set)) return undefined;
    if (me && !chosen.has(set.id) && beyond(me, set).length > 0) return t('sets.beyond');
    const key = `codes:about.${set.name}`;
    if (set.built_in && i18n.exists(key)) return t(key);
    const groups = place(set);
    return set.description ? t('sets.about', { description: set.description, groups }) : t('sets.on', { groups });
  };
  const toggle = (set: string, on: boolean) => {
    const next = new Set(chosen);
    if (on) next.add(set);
    else next.delete(set);
    onChange(next);
  };
  return (
    <fieldset className="sk-choice" aria-describedby={`${id}-help`}>
      <legend>{t('field.sets')}</legend>
      <p className={error ? 'sk-danger' : 'sk-muted'} id={`${id}-help`} role={error ? 'alert' : undefined}>
        {error ?? t(own ? 'own.sets' : may ? 'field.setsHint' : 'sets.hidden')}
      </p>
      {sets.isError && !sets.data && <ErrorState compact error={sets.error} onRetry={() => void sets.refetch()} />}
      <div className="sk-choice-list" data-testid="user-sets">
        {known.map((set) => (
          <Checkbox key={set.id} id={`${id}-${set.id}`} label={setName(set)} description={about(set)} isChecked={chosen.has(set.id)} isDisabled={own || !may} onChange={(_event, on) => toggle(set.id, on)} />
        ))}
      </div>
    </fieldset>
  );
}

function HomeGroup({ id, current, value, error, disabled, onChange }: { id: string; current: Named | undefined; value: string; error: string | undefined; disabled: boolean; onChange: (value: string) => void }) {
  const { t } = useTranslation('users');
  const groupName = useGroupName();
  const may = useCan()('devices.read');
  const groups = useQuery({ ...queries.groups(), enabled: may });
  const rows = flattenTree(groups.data?.items ?? []);
  return (
    <Field id={id} label={t('field.home')} hint={t(disabled ? 'own.home' : 'field.homeHint')} error={error}>
      <FormSelect id={id} value={value} isDisabled={disabled || !may} onChange={(_event, next) => onChange(next)} aria-describedby={`${id}-help`}>
        <FormSelectOption value="" label={groupName('group.all')} />
        {current && !rows.some(({ group }) => group.id === current.id) && <FormSelectOption value={current.id} label={groupName(current.name)} />}
        {rows
          .filter(({ group }) => group.name !== 'group.all')
          .map(({ group, depth }) => (
            <FormSelectOption key={group.id} value={group.id} label={INDENT.repeat(depth) + groupName(group.name)} />
          ))}
      </FormSelect>
    </Field>
  );
}

export function FirstPasswordDialog({ made, created = false, onClose }: { made: UserPassword; created?: boolean; onClose: () => void }) {
  const { t } = useTranslation('users');
  const tenant = useMe()?.tenant;
  const title = t(created ? 'first.titleCreated' : 'first.title', { name: made.user.name });
  return (
    <Modal variant="small" isOpen onClose={onClose} aria-label={title}>
      <ModalHeader title={title} />
      <ModalBody tabIndex={0}>
        <Alert variant="warning" isInline title={t('first.once')} />
        <h3 className="sk-step">{t('first.name')}</h3>
        <CopyBlock text={`${tenant}/${made.user.name}`} label={t('first.name')} testId="first-name" />
        <h3 className="sk-step">{t('first.password')}</h3>
        <CopyBlock text={made.password} label={t('first.password')} testId="first-password" />
        <p className="sk-muted">{t('first.next')}</p>
      </ModalBody>
      <ModalFooter>
        <Button variant="primary" onClick={onClose} data-testid="first-password-done">
          {t('first.done')}
        </Button>
      </ModalFooter>
    </Modal>
  );
}
