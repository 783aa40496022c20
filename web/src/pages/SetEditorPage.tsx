// SPDX-License-Identifier: Apache-2.0
// Making, duplicating and changing a permission set: who it is for, where it holds, and the matrix of rights.
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useId, useState, type FormEvent, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { Link, useNavigate, useParams, useSearchParams } from 'react-router';
import type { Access, Functionality, Named, PermissionSet, PermissionSetWrite } from '@/api/types';
import { ErrorState, useProblemText } from '@/components/ErrorState';
import { Field, useFieldError } from '@/components/Field';
import { GroupTree } from '@/components/GroupTree';
import { PageHeader } from '@/components/PageHeader';
import { Alert, AlertActionLink, Button, Form, Skeleton, TextArea, TextInput } from '@/components/pf';
import { RightsMatrix } from '@/components/RightsMatrix';
import { queries } from '@/hooks/queries';
import { useGroupName, useRightName, useSetName } from '@/hooks/useFormat';
import { useCan } from '@/hooks/useMe';
import { fullRights } from '@/services/access';
import { api, ask } from '@/services/api';
import { asProblem } from '@/services/problem';
import { showToast } from '@/services/toasts';
import { Lacking } from './AccessPages';

export function SetEditorPage() {
  const { id } = useParams();
  const [params] = useSearchParams();
  const may = useCan();
  const from = id ?? params.get('from') ?? undefined;
  const set = useQuery({ ...queries.permissionSet(from ?? ''), enabled: from !== undefined });
  const groups = useQuery({ ...queries.groups(), enabled: may('devices.read') });
  const [round, setRound] = useState(0);
  if (!may('permission_sets.write')) return <Lacking lacking={{ permission: 'permission_sets.write' }} />;
  if (from === undefined) return <Editor key="new" />;
  // A copy of a built-in set begins on All, whose id only the list of groups tells.
  if (!set.data || groups.isLoading) return <Waiting error={set.error} onRetry={() => void set.refetch()} />;
  if (id !== undefined && !set.data.editable) return <NotEditable set={set.data} />;
  const everywhere = groups.data?.items.find((group) => group.name === 'group.all');
  const newest = async () => {
    await set.refetch();
    setRound(round + 1);
  };
  return <Editor key={`${from}-${round}`} set={set.data} copy={id === undefined} everywhere={everywhere} onNewest={() => void newest()} />;
}

function Crumbs() {
  const { t } = useTranslation('access');
  return (
    <nav aria-label={t('common:shell.breadcrumb')} className="sk-crumbs">
      <Link to="/permission-sets">{t('sets.title')}</Link>
    </nav>
  );
}

function Waiting({ error, onRetry }: { error: unknown; onRetry: () => void }) {
  const { t } = useTranslation('access');
  return (
    <div className="sk-page sk-narrow">
      <PageHeader title={t('editor.edit')} before={<Crumbs />} />
      {error ? <ErrorState error={error} onRetry={onRetry} /> : <Skeleton height="240px" screenreaderText={t('common:state.loading')} />}
    </div>
  );
}

function NotEditable({ set }: { set: PermissionSet }) {
  const { t } = useTranslation('access');
  const setName = useSetName();
  return (
    <div className="sk-page sk-narrow">
      <PageHeader title={setName(set)} before={<Crumbs />} />
      <Alert variant="info" isInline title={t(set.built_in ? 'panel.builtIn' : 'panel.foreign')} actionLinks={<Link to={`/permission-sets/new?from=${set.id}`}>{t('panel.duplicate')}</Link>}>
        {t(set.built_in ? 'panel.builtInBody' : 'panel.foreignBody')}
      </Alert>
    </div>
  );
}

interface EditorProps {
  set?: PermissionSet;
  copy?: boolean;
  everywhere?: Named | undefined;
  onNewest?: () => void;
}

function Editor({ set, copy = true, everywhere, onNewest }: EditorProps) {
  const { t } = useTranslation('access');
  const ids = useId();
  const client = useQueryClient();
  const navigate = useNavigate();
  const setName = useSetName();
  const [name, setNameText] = useState(set ? (copy ? t('editor.copyOf', { name: setName(set) }) : set.name) : '');
  const [description, setDescription] = useState(set && !set.built_in ? set.description : '');
  const [places, setPlaces] = useState<readonly Named[]>(set ? (set.groups.length > 0 ? set.groups : everywhere && !set.on_home_group ? [everywhere] : []) : []);
  const [rights, setRights] = useState(() => fullRights(set?.rights ?? []));
  const [revision] = useState(set?.revision);
  const [tried, setTried] = useState(false);
  const change = (column: 'allow' | 'deny') => (functionality: Functionality, level: Access) =>
    setRights((before) => before.map((right) => (right.functionality === functionality ? { ...right, [column]: level } : right)));

  const save = useMutation({
    mutationFn: () => {
      const body: PermissionSetWrite = { name: name.trim(), description: description.trim(), group_ids: places.map((place) => place.id), rights };
      if (!set || copy) return ask(api.POST('/api/v1/permission-sets', { body }));
      return ask(api.PUT('/api/v1/permission-sets/{set_id}', { params: { path: { set_id: set.id } }, body: { ...body, ...(revision === undefined ? {} : { revision }) } }));
    },
    onSuccess: (saved) => {
      for (const key of ['sets', 'users', 'user', 'audit', 'me']) void client.invalidateQueries({ queryKey: [key] });
      showToast({ tone: 'success', title: t('editor.done', { name: saved.name }) });
      void navigate(`/permission-sets?show=${saved.id}`);
    },
  });
  const problem = save.error ? asProblem(save.error) : null;
  const fieldError = useFieldError(problem);
  const problemText = useProblemText();
  const nothing = rights.every((right) => right.allow === 'none');
  const nameError = tried && !name.trim() ? t('editor.needsName') : (fieldError('name') ?? (problem?.code === 'name_taken' ? problem.message : undefined));
  const placesError = tried && places.length === 0 ? t('editor.needsGroup') : fieldError('group_ids');
  const rightsError = tried && nothing ? t('editor.needsRight') : problem?.field === 'rights' ? fieldError('rights') : undefined;
  const bound = nameError !== undefined || ['description', 'group_ids', 'rights'].some((field) => fieldError(field));
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setTried(true);
    if (name.trim() && places.length > 0 && !nothing && !save.isPending) save.mutate();
  };
  const text = problem && problemText(problem);

  return (
    <div className="sk-page sk-narrow sk-editor">
      <PageHeader title={set && !copy ? t('editor.editNamed', { name: set.name }) : t('editor.new')} before={<Crumbs />} />
      <Form onSubmit={submit} noValidate>
        {text && !bound && (
          <Alert variant="danger" isInline isLiveRegion title={text.title} actionLinks={problem.code === 'conflict' && onNewest && <AlertActionLink onClick={onNewest}>{t('editor.newest')}</AlertActionLink>}>
            {text.details.join(' ')}
          </Alert>
        )}
        <Part title={t('editor.what')}>
          <Field id={`${ids}-name`} label={t('editor.name')} error={nameError} required>
            <TextInput id={`${ids}-name`} value={name} maxLength={100} isRequired validated={nameError ? 'error' : 'default'} onChange={(_event, value) => setNameText(value)} aria-describedby={`${ids}-name-help`} data-testid="set-name" />
          </Field>
          <Field id={`${ids}-description`} label={t('editor.description')} hint={t('editor.descriptionHint')} error={fieldError('description')}>
            <TextArea id={`${ids}-description`} value={description} maxLength={1000} rows={2} onChange={(_event, value) => setDescription(value)} aria-describedby={`${ids}-description-help`} data-testid="set-description" />
          </Field>
        </Part>
        <Part title={t('editor.where')} about={t('editor.whereHint')} error={placesError}>
          <Places places={places} onChange={setPlaces} />
        </Part>
        <Part title={t('matrix.allow')} about={t('editor.rightsHint')} error={rightsError}>
          <div className="sk-matrix-frame">
            <RightsMatrix rights={rights} column="allow" onChange={change('allow')} errorOf={(index) => (problem?.field === 'rights' ? undefined : fieldError(`rights[${index}]`))} />
          </div>
          <details className="sk-more" open={rights.some((right) => right.deny !== 'none') || undefined}>
            <summary data-testid="show-deny">{t('editor.deny')}</summary>
            <p className="sk-muted">{t('editor.denyHint')}</p>
            <div className="sk-matrix-frame">
              <RightsMatrix rights={rights} column="deny" onChange={change('deny')} />
            </div>
          </details>
          <Outcome rights={rights} />
        </Part>
        <div className="sk-editor-foot">
          <Button type="submit" variant="primary" isLoading={save.isPending} isDisabled={save.isPending} data-testid="save-set">
            {t(set && !copy ? 'common:action.save' : 'editor.create')}
          </Button>
          <Button variant="link" onClick={() => void navigate(set ? `/permission-sets?show=${set.id}` : '/permission-sets')}>
            {t('common:action.cancel')}
          </Button>
          {set && !copy && set.users > 0 && <span className="sk-muted">{t('editor.affects', { count: set.users })}</span>}
        </div>
      </Form>
    </div>
  );
}

function Part({ title, about, error, children }: { title: string; about?: string; error?: string | undefined; children: ReactNode }) {
  return (
    <section className="sk-card sk-part" aria-label={title}>
      <h2>{title}</h2>
      {about && <p className="sk-muted">{about}</p>}
      {error && (
        <p className="sk-danger" role="alert">
          {error}
        </p>
      )}
      {children}
    </section>
  );
}

/** Groups to tick. Those that the person cannot see stay as they are and are named. */
function Places({ places, onChange }: { places: readonly Named[]; onChange: (places: readonly Named[]) => void }) {
  const { t } = useTranslation('access');
  const groupName = useGroupName();
  const rightName = useRightName();
  const may = useCan()('devices.read');
  const groups = useQuery({ ...queries.groups(), enabled: may });
  const seen = new Set(groups.data?.items.map((group) => group.id));
  const unseen = places.filter((place) => !seen.has(place.id));
  return (
    <>
      {!may && <p className="sk-muted">{t('editor.groupsHidden', { right: rightName('devices.read') })}</p>}
      {groups.isError && !groups.data && <ErrorState compact error={groups.error} onRetry={() => void groups.refetch()} />}
      {groups.isLoading && <Skeleton height="90px" screenreaderText={t('common:state.loading')} />}
      {groups.data && (
        <div className="sk-tree-frame" data-testid="set-groups">
          <GroupTree
            groups={groups.data.items}
            chosen={undefined}
            ticked={new Set(places.map((place) => place.id))}
            label={t('editor.where')}
            onChoose={(group) => {
              if (!group) return;
              onChange(places.some((place) => place.id === group.id) ? places.filter((place) => place.id !== group.id) : [...places, { id: group.id, name: group.name }]);
            }}
          />
        </div>
      )}
      {unseen.length > 0 && !groups.isLoading && <p>{t('editor.alsoOn', { groups: unseen.map((place) => groupName(place.name)).join(t('sets.separator')) })}</p>}
    </>
  );
}

/** In words what somebody with only this set could do: the matrix read back. */
function Outcome({ rights }: { rights: ReturnType<typeof fullRights> }) {
  const { t } = useTranslation('access');
  const names = rights.filter((right) => right.deny !== 'none' && right.allow !== 'none');
  if (names.length === 0) return null;
  return <p className="sk-muted">{t('editor.denyWins', { list: names.map((right) => t(`functionality.${right.functionality}`)).join(t('sets.separator')) })}</p>;
}
