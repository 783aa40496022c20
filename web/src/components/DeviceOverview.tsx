// SPDX-License-Identifier: Apache-2.0
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import type { DeviceDetail } from '@/api/types';
import { useFormat, useGroupName } from '@/hooks/useFormat';
import { useNow } from '@/hooks/useNow';
import { Facts, Section } from './Facts';
import { Alert } from './pf';
import { DeviceStatus, Isolated, LastSeen, Protection, Status } from './Status';
import { CheckIcon, ErrorIcon, WarningIcon } from './icons';

const MINUTE = 60;
const CERTIFICATE_SOON_MS = 14 * 24 * 3600 * 1000; // renewal begins 30 days before; at two weeks something is wrong

export function DeviceOverview({ detail }: { detail: DeviceDetail }) {
  const { t } = useTranslation('devices');
  const format = useFormat();
  const groupName = useGroupName();
  const now = useNow(10_000);
  const { device, engine } = detail;
  const interval = device.interval % MINUTE === 0 ? t('fact.minutes', { count: device.interval / MINUTE }) : t('fact.seconds', { count: device.interval });
  return (
    <>
      {detail.identity_question && (
        <Alert variant="warning" isInline title={t('identityQuestion.title')}>
          {t('identityQuestion.body')}
        </Alert>
      )}
      <div className="sk-sections">
      <Section title={t('section.state')}>
        <Facts
          items={[
            { term: t('fact.status'), value: <DeviceStatus device={device} /> },
            device.isolated && { term: t('fact.network'), value: <Isolated /> },
            { term: t('fact.lastSeen'), value: <LastSeen device={device} now={now} /> },
            { term: t('fact.interval'), value: interval },
            { term: t('fact.group'), value: <Link to={`/devices?group=${device.group_id}`}>{groupName(device.group_name)}</Link> },
            { term: t('fact.description'), value: device.description },
            { term: t('fact.users'), value: detail.users.join(', ') },
            { term: t('fact.enrolled'), value: format.time(device.enrolled_at) },
          ]}
        />
      </Section>
      <Section title={t('section.protection')}>
        <Facts
          items={[
            { term: t('fact.protection'), value: <Protection device={device} /> },
            { term: t('fact.engine'), value: [engine.name, engine.version].filter(Boolean).join(' ') },
            { term: t('fact.signatures'), value: engine.signature_version },
            { term: t('fact.signaturesAt'), value: engine.signature_at && format.time(engine.signature_at) },
            { term: t('fact.onAccess'), value: t(engine.on_access ? 'fact.yes' : 'fact.no') },
            { term: t('fact.watched'), value: engine.watched_folders?.join(', '), mono: true },
          ]}
        />
      </Section>
      <Section title={t('section.system')}>
        <Facts
          items={[
            { term: t('fact.os'), value: [device.os_name || t(`common:enum.os.${device.os_family}`), device.os_version].filter(Boolean).join(' ') },
            { term: t('fact.kernel'), value: detail.kernel },
            { term: t('fact.architecture'), value: detail.architecture },
            { term: t('fact.fqdn'), value: detail.fqdn },
            { term: t('fact.addresses'), value: detail.addresses.join(', ') },
            { term: t('fact.boot'), value: detail.boot_at && format.time(detail.boot_at) },
            { term: t('fact.timeZone'), value: detail.time_zone },
            { term: t('fact.locale'), value: detail.locale },
          ]}
        />
      </Section>
      <Section title={t('section.agent')}>
        <Facts
          items={[
            { term: t('fact.agentVersion'), value: device.agent_version },
            { term: t('fact.deviceId'), value: device.id, mono: true },
            { term: t('fact.certificate'), value: <Certificate detail={detail} now={now} /> },
            { term: t('fact.lost'), value: detail.lost_records ? <Status tone="warning" icon={<WarningIcon />}>{format.number(detail.lost_records)}</Status> : undefined },
          ]}
        />
      </Section>
      </div>
    </>
  );
}

function Certificate({ detail, now }: { detail: DeviceDetail; now: number }) {
  const { t } = useTranslation('devices');
  const format = useFormat();
  if (detail.certificate_revoked) return <Status tone="danger" icon={<ErrorIcon />}>{t('certificate.revoked')}</Status>;
  const left = Date.parse(detail.certificate_expires_at) - now;
  const time = format.time(detail.certificate_expires_at);
  if (left <= 0) return <Status tone="danger" icon={<ErrorIcon />}>{t('certificate.expired', { time })}</Status>;
  if (left < CERTIFICATE_SOON_MS) return <Status tone="warning" icon={<WarningIcon />}>{t('certificate.until', { time })}</Status>;
  return <Status icon={<CheckIcon />}>{t('certificate.until', { time })}</Status>;
}
