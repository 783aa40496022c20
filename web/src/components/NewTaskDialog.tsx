// SPDX-License-Identifier: Apache-2.0
// A new task from the tasks page: what to do and on which devices. It asks only for what choosing needs, so that it also
// serves people who may give tasks but not look into devices.
import { useInfiniteQuery } from '@tanstack/react-query';
import { useId, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { TASK_TYPES, type Target, type TaskType } from '@/api/types';
import { queries } from '@/hooks/queries';
import { MOST_DEVICES } from '@/hooks/useDeviceActions';
import { useDelayed } from '@/hooks/useDelayed';
import { useFormat, useGroupName } from '@/hooks/useFormat';
import { useSelection, type Selection } from '@/hooks/useSelection';
import { ErrorState } from './ErrorState';
import { Field } from './Field';
import { OS_ICONS } from './OsLabel';
import { Button, Form, FormSelect, FormSelectOption, Modal, ModalBody, ModalFooter, ModalHeader, SearchInput, Skeleton } from './pf';
import { TaskDialog } from './TaskDialog';

const SEARCH_DELAY_MS = 300;

export function NewTaskDialog({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation('tasks');
  const format = useFormat();
  const id = useId();
  const [type, setType] = useState<TaskType>('scan');
  const [ready, setReady] = useState(false);
  const selection = useSelection<Target>();
  const tooMany = selection.size > MOST_DEVICES;
  // The choice stays when one comes back from the second step.
  if (ready) return <TaskDialog request={{ type, targets: selection.rows }} onClose={(created) => (created ? onClose() : setReady(false))} />;
  return (
    <Modal variant="medium" isOpen onClose={onClose} aria-label={t('new.title')}>
      <ModalHeader title={t('new.title')} />
      <ModalBody tabIndex={0}>
        <Form onSubmit={(event) => event.preventDefault()}>
          <Field id={`${id}-type`} label={t('new.type')}>
            <FormSelect id={`${id}-type`} value={type} onChange={(_event, value) => setType(value as TaskType)} data-testid="new-task-type">
              {TASK_TYPES.map((value) => (
                <FormSelectOption key={value} value={value} label={t(`common:enum.taskType.${value}`)} />
              ))}
            </FormSelect>
          </Field>
          <TargetPicker selection={selection} />
        </Form>
      </ModalBody>
      <ModalFooter>
        <Button variant="primary" isDisabled={selection.size === 0 || tooMany} onClick={() => setReady(true)} data-testid="new-task-next">
          {t('new.next')}
        </Button>
        <Button variant="link" onClick={onClose}>
          {t('common:action.cancel')}
        </Button>
        <span className={tooMany ? 'sk-danger' : 'sk-muted'} role="status">
          {tooMany ? t('devices:tooMany', { count: MOST_DEVICES }) : t('new.chosen', { count: selection.size, number: format.number(selection.size) })}
        </span>
      </ModalFooter>
    </Modal>
  );
}

function TargetPicker({ selection }: { selection: Selection<Target> }) {
  const { t } = useTranslation('tasks');
  const groupName = useGroupName();
  const [text, setText] = useState('');
  const search = useDelayed(text.trim(), SEARCH_DELAY_MS);
  const targets = useInfiniteQuery(queries.targets(search));
  const rows = targets.data?.pages.flatMap((page) => page.items);
  const all = rows !== undefined && rows.length > 0 && rows.every((row) => selection.has(row.id));
  return (
    <fieldset className="sk-choice">
      <legend>{t('new.devices')}</legend>
      <div className="sk-choice-tools">
        <SearchInput className="sk-search" aria-label={t('new.search')} placeholder={t('new.search')} value={text} onChange={(_event, value) => setText(value.slice(0, 100))} onClear={() => setText('')} />
        <Button variant="link" size="sm" isDisabled={!rows?.length} onClick={() => selection.toggle(rows ?? [], !all)}>
          {t(all ? 'new.none' : 'new.all')}
        </Button>
      </div>
      {targets.isError && !targets.data && <ErrorState compact error={targets.error} onRetry={() => void targets.refetch()} />}
      {targets.isPending && <Skeleton height="160px" screenreaderText={t('common:state.loading')} />}
      {rows?.length === 0 && <p className="sk-muted">{t(search ? 'common:empty.filtered' : 'new.noDevices')}</p>}
      {rows !== undefined && rows.length > 0 && (
        <ul className={targets.isPlaceholderData ? 'sk-targets-list sk-stale' : 'sk-targets-list'} data-testid="targets">
          {rows.map((row) => {
            const Icon = OS_ICONS[row.os_family];
            return (
              <li key={row.id}>
                <label>
                  <input type="checkbox" checked={selection.has(row.id)} onChange={(event) => selection.toggle([row], event.target.checked)} />
                  <span className="sk-muted" title={t(`common:enum.os.${row.os_family}`)}>
                    <Icon aria-hidden="true" />
                  </span>
                  <span className="sk-clip">{row.name}</span>
                  <span className="sk-muted sk-clip">{groupName(row.group_name)}</span>
                </label>
              </li>
            );
          })}
          {targets.hasNextPage && (
            <li>
              <Button variant="link" size="sm" isLoading={targets.isFetchingNextPage} isDisabled={targets.isFetchingNextPage} onClick={() => void targets.fetchNextPage()}>
                {t('new.more')}
              </Button>
            </li>
          )}
        </ul>
      )}
    </fieldset>
  );
}
