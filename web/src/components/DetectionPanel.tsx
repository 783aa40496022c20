// SPDX-License-Identifier: Apache-2.0
// All that is known of one detection, and what to do about it.
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { Detection } from '@/api/types';
import { queries } from '@/hooks/queries';
import { useFormat } from '@/hooks/useFormat';
import { useCan } from '@/hooks/useMe';
import { useResolve } from '@/hooks/useResolve';
import { CopyButton } from './CopyBlock';
import { DeviceLink } from './DeviceLink';
import { ErrorState } from './ErrorState';
import { Facts, Section } from './Facts';
import { Alert, Button, Skeleton } from './pf';
import { SidePanel } from './SidePanel';
import { ActionText, ResolvedText, SeverityText } from './Status';
import { TaskDialog, type TaskRequest } from './TaskDialog';

export function DetectionPanel({ id, onClose }: { id: string; onClose: () => void }) {
  const { t } = useTranslation('detections');
  const detection = useQuery(queries.detection(id));
  return (
    <SidePanel
      subject={id}
      title={detection.data?.name ?? t('panel.label')}
      label={t('panel.label')}
      onClose={onClose}
      actions={detection.data && <Actions detection={detection.data} />}
    >
      {detection.isError && !detection.data && <ErrorState error={detection.error} onRetry={() => void detection.refetch()} />}
      {detection.isPending && (
        <div className="sk-loading" role="status" aria-label={t('common:state.loading')}>
          {[60, 75, 50, 68].map((width) => (
            <Skeleton key={width} width={`${width}%`} height="12px" />
          ))}
        </div>
      )}
      {detection.data && <Details detection={detection.data} />}
    </SidePanel>
  );
}

function Actions({ detection }: { detection: Detection }) {
  const { t } = useTranslation('detections');
  const can = useCan();
  const resolve = useResolve();
  const [task, setTask] = useState<TaskRequest | null>(null);
  const scan = () => setTask({ type: 'scan', targets: [{ id: detection.device_id, name: detection.device_name }], detectionId: detection.id });
  return (
    <>
      {!detection.resolved && can('tasks.write') && (
        <Button variant="primary" size="sm" onClick={scan} data-testid="scan-this-computer">
          {t('action.scan')}
        </Button>
      )}
      {can('detections.write') && (
        <Button
          variant="secondary"
          size="sm"
          isLoading={resolve.isPending}
          isDisabled={resolve.isPending}
          onClick={() => resolve.mutate({ ids: [detection.id], resolved: !detection.resolved })}
          data-testid="toggle-resolved"
        >
          {t(detection.resolved ? 'action.unresolve' : 'action.resolve')}
        </Button>
      )}
      {task && <TaskDialog request={task} onClose={() => setTask(null)} />}
    </>
  );
}

function Details({ detection }: { detection: Detection }) {
  const { t } = useTranslation('detections');
  const format = useFormat();
  return (
    <>
      {detection.action === 'failed' && (
        <Alert variant="danger" isInline title={t('panel.failed')}>
          {detection.action_error}
        </Alert>
      )}
      <Section title={t('section.summary')}>
        <Facts
          items={[
            { term: t('fact.severity'), value: <SeverityText severity={detection.severity} /> },
            { term: t('fact.resolved'), value: <ResolvedText detection={detection} /> },
            { term: t('fact.resolvedBy'), value: detection.resolved && detection.resolved_at && t('fact.resolvedByAt', { user: detection.resolved_by ?? '', time: format.time(detection.resolved_at) }) },
            { term: t('fact.type'), value: t(`common:enum.detectionType.${detection.type}`) },
            { term: t('fact.action'), value: <ActionText detection={detection} /> },
            { term: t('fact.actionError'), value: detection.action !== 'failed' && detection.action_error },
            { term: t('fact.device'), value: <DeviceLink id={detection.device_id} name={detection.device_name} /> },
            { term: t('fact.occurred'), value: format.timeExact(detection.occurred_at) },
            { term: t('fact.received'), value: format.timeExact(detection.received_at) },
          ]}
        />
      </Section>
      <Section title={t('section.object')}>
        <Facts
          items={[
            { term: t('fact.object'), value: detection.object, mono: true },
            {
              term: t('fact.sha256'),
              mono: true,
              value: detection.sha256 && (
                <span className="sk-hash">
                  {detection.sha256} <CopyButton text={detection.sha256} label={t('action.copyHash')} />
                </span>
              ),
            },
            { term: t('fact.size'), value: detection.size_bytes !== undefined && format.bytes(detection.size_bytes) },
            { term: t('fact.process'), value: detection.process, mono: true },
            { term: t('fact.user'), value: detection.user },
          ]}
        />
      </Section>
      <Section title={t('section.engine')}>
        <Facts
          items={[
            { term: t('fact.scanner'), value: t(`common:enum.scanner.${detection.scanner}`) },
            { term: t('fact.engine'), value: [detection.engine, detection.engine_version].filter(Boolean).join(' ') },
            { term: t('fact.signatures'), value: detection.signature_version },
            { term: t('fact.id'), value: detection.id, mono: true },
          ]}
        />
      </Section>
    </>
  );
}
