// SPDX-License-Identifier: Apache-2.0
// Gives devices a task: one dialog for all types, with the fields and the consequences of the type at hand.
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useId, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { TaskCreate, TaskType } from '@/api/types';
import { api, ask } from '@/services/api';
import { asProblem } from '@/services/problem';
import { showToast } from '@/services/toasts';
import { ConfirmDialog } from './ConfirmDialog';
import { Field, useFieldError } from './Field';
import { Alert, Checkbox, Form, TextArea, TextInput } from './pf';

export interface Target {
  id: string;
  name: string;
}

export interface TaskRequest {
  type: TaskType;
  targets: readonly Target[];
  detectionId?: string;
}

const NAMES_SHOWN = 5;

export function TaskDialog({ request, onClose }: { request: TaskRequest; onClose: (created: boolean) => void }) {
  const { t } = useTranslation('tasks');
  const ids = useId();
  const client = useQueryClient();
  const { type, targets, detectionId } = request;
  const [paths, setPaths] = useState('');
  const [clean, setClean] = useState(true);
  const [title, setTitle] = useState('');
  const [text, setText] = useState('');

  const create = useMutation({
    mutationFn: () => {
      const body: TaskCreate = { type, devices: targets.map((target) => target.id) };
      if (detectionId) body.detection_id = detectionId;
      if (type === 'scan') {
        const lines = paths.split('\n').map((line) => line.trim()).filter(Boolean);
        body.scan = lines.length > 0 ? { targets: lines, clean } : { clean };
      }
      if (type === 'show_message') body.message = title.trim() ? { title: title.trim(), text } : { text };
      return ask(api.POST('/api/v1/tasks', { body }));
    },
    onSuccess: (task) => {
      for (const key of ['tasks', 'executions', 'overview']) void client.invalidateQueries({ queryKey: [key] });
      showToast({
        tone: 'success',
        title: t(`created.${type}`, { count: targets.length, name: targets[0]?.name }),
        link: { to: `/tasks/${task.id}`, text: t('created.follow') },
      });
      onClose(true);
    },
  });
  const problem = create.error ? asProblem(create.error) : null;
  const fieldError = useFieldError(problem);
  const targetsError = fieldError('scan.targets');
  const titleError = fieldError('message.title');
  const textError = fieldError('message.text');
  const bound = targetsError ?? titleError ?? textError;

  return (
    <ConfirmDialog
      title={t(`dialog.${type}.title`, { count: targets.length })}
      confirm={t(`dialog.${type}.confirm`)}
      danger={type === 'isolate'}
      busy={create.isPending}
      disabled={type === 'show_message' && !text.trim()}
      error={bound ? undefined : create.error}
      onConfirm={() => create.mutate()}
      onClose={() => onClose(false)}
    >
      <p className="sk-targets">
        {targets.slice(0, NAMES_SHOWN).map((target) => target.name).join(', ')}
        {targets.length > NAMES_SHOWN && ` ${t('dialog.more', { count: targets.length - NAMES_SHOWN })}`}
      </p>
      {type === 'isolate' && (
        <Alert variant="warning" isInline title={t('dialog.isolate.consequences')}>
          <ul className="sk-bullets">
            <li>{t('dialog.isolate.network')}</li>
            <li>{t('dialog.isolate.server')}</li>
            <li>{t('dialog.isolate.until')}</li>
          </ul>
        </Alert>
      )}
      {(type === 'update_modules' || type === 'end_isolation') && <p>{t(`dialog.${type}.body`)}</p>}
      {type === 'scan' && (
        <Form onSubmit={(event) => event.preventDefault()}>
          <Field id={`${ids}-paths`} label={t('dialog.scan.targets')} hint={t('dialog.scan.targetsHint')} error={targetsError}>
            <TextArea
              id={`${ids}-paths`}
              value={paths}
              onChange={(_event, value) => setPaths(value)}
              rows={3}
              className="sk-mono"
              validated={targetsError ? 'error' : 'default'}
              aria-describedby={`${ids}-paths-help`}
              data-testid="scan-targets"
            />
          </Field>
          <Checkbox id={`${ids}-clean`} label={t('dialog.scan.clean')} description={t('dialog.scan.cleanHint')} isChecked={clean} onChange={(_event, on) => setClean(on)} />
        </Form>
      )}
      {type === 'show_message' && (
        <Form onSubmit={(event) => event.preventDefault()}>
          <Field id={`${ids}-title`} label={t('dialog.show_message.titleLabel')} error={titleError}>
            <TextInput id={`${ids}-title`} value={title} maxLength={100} onChange={(_event, value) => setTitle(value)} data-testid="message-title" />
          </Field>
          <Field id={`${ids}-text`} label={t('dialog.show_message.text')} hint={t('dialog.show_message.textHint')} error={textError} required>
            <TextArea id={`${ids}-text`} value={text} maxLength={2000} rows={4} isRequired onChange={(_event, value) => setText(value)} aria-describedby={`${ids}-text-help`} data-testid="message-text" />
          </Field>
        </Form>
      )}
    </ConfirmDialog>
  );
}
