// SPDX-License-Identifier: Apache-2.0
// States as icon + word. Colour only where somebody must act; what is well stays grey.
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import type { Detection, Device, Execution, Severity } from '@/api/types';
import { useFormat } from '@/hooks/useFormat';
import { CheckIcon, ClockIcon, ErrorIcon, InfoIcon, IsolatedIcon, RefusedIcon, RunningIcon, WarningIcon } from './icons';

export type Tone = 'quiet' | 'plain' | 'warning' | 'danger' | 'accent';

export function Status({ tone = 'quiet', icon, children }: { tone?: Tone; icon: ReactNode; children: ReactNode }) {
  return (
    <span className={`sk-status sk-${tone}`}>
      <span className="sk-status-icon" aria-hidden="true">
        {icon}
      </span>
      <span className="sk-status-text">{children}</span>
    </span>
  );
}

export function DeviceStatus({ device }: { device: Pick<Device, 'status' | 'problems'> }) {
  const { t } = useTranslation();
  const text = device.problems > 0 ? t('enum.statusCount', { count: device.problems }) : t(`enum.status.${device.status}`);
  if (device.status === 'problem') return <Status tone="danger" icon={<ErrorIcon />}>{text}</Status>;
  if (device.status === 'attention') return <Status tone="warning" icon={<WarningIcon />}>{text}</Status>;
  return <Status icon={<CheckIcon />}>{text}</Status>;
}

/** How late a device is, measured by its own interval. */
export function lateness(device: Pick<Device, 'connected' | 'last_seen' | 'interval'>, now: number): Tone {
  if (device.connected) return 'quiet';
  const intervals = (now - Date.parse(device.last_seen)) / 1000 / device.interval;
  if (intervals <= 2) return 'quiet';
  return intervals <= 10 ? 'warning' : 'danger';
}

export function LastSeen({ device, now }: { device: Pick<Device, 'connected' | 'last_seen' | 'interval'>; now: number }) {
  const { t } = useTranslation();
  const format = useFormat();
  const tone = lateness(device, now);
  const title = format.timeExact(device.last_seen);
  return (
    <span className={`sk-seen sk-${tone}`} title={title}>
      <span className={device.connected ? 'sk-dot sk-on' : 'sk-dot'} aria-hidden="true" />
      {device.connected ? t('enum.connected') : format.ago(device.last_seen, now)}
      {tone !== 'quiet' && <span className="sk-hidden">{t(`enum.late.${tone}`)}</span>}
    </span>
  );
}

export function Protection({ device }: { device: Pick<Device, 'protection'> }) {
  const { t } = useTranslation();
  const text = t(`enum.protection.${device.protection}`);
  if (device.protection === 'off') return <Status tone="danger" icon={<ErrorIcon />}>{text}</Status>;
  if (device.protection === 'detect_only') return <Status tone="warning" icon={<WarningIcon />}>{text}</Status>;
  if (device.protection === 'unknown') return <Status icon={<ClockIcon />}>{text}</Status>;
  return <Status icon={<CheckIcon />}>{text}</Status>;
}

export function Isolated() {
  const { t } = useTranslation();
  return <Status tone="accent" icon={<IsolatedIcon />}>{t('enum.isolated')}</Status>;
}

export function SeverityText({ severity, quiet = false }: { severity: Severity; quiet?: boolean }) {
  const { t } = useTranslation();
  const text = t(`enum.severity.${severity}`);
  const icon = severity === 'critical' ? <ErrorIcon /> : severity === 'warning' ? <WarningIcon /> : <InfoIcon />;
  const tone = quiet || severity === 'info' ? 'quiet' : severity === 'critical' ? 'danger' : 'warning';
  return <Status tone={tone} icon={icon}>{text}</Status>;
}

/** The severity without its word, where the column has no room; the word is there for screen readers and on hover. */
export function SeverityIcon({ severity, quiet }: { severity: Severity; quiet: boolean }) {
  const { t } = useTranslation();
  const text = t(`enum.severity.${severity}`);
  const Icon = severity === 'critical' ? ErrorIcon : severity === 'warning' ? WarningIcon : InfoIcon;
  const tone = quiet || severity === 'info' ? 'quiet' : severity === 'critical' ? 'danger' : 'warning';
  return (
    <span className={`sk-status sk-${tone}`} title={text}>
      <Icon aria-hidden="true" />
      <span className="sk-hidden">{text}</span>
    </span>
  );
}

export function ResolvedText({ detection }: { detection: Pick<Detection, 'resolved'> }) {
  const { t } = useTranslation();
  return detection.resolved ? (
    <Status icon={<CheckIcon />}>{t('enum.resolved.true')}</Status>
  ) : (
    <Status tone="plain" icon={<ClockIcon />}>{t('enum.resolved.false')}</Status>
  );
}

export function ActionText({ detection }: { detection: Pick<Detection, 'action'> }) {
  const { t } = useTranslation();
  const text = t(`enum.action.${detection.action}`);
  if (detection.action === 'failed') return <Status tone="danger" icon={<ErrorIcon />}>{text}</Status>;
  return <>{text}</>;
}

export function ExecutionStateText({ execution }: { execution: Pick<Execution, 'state'> }) {
  const { t } = useTranslation();
  const text = t(`enum.executionState.${execution.state}`);
  switch (execution.state) {
    case 'failed':
      return <Status tone="danger" icon={<ErrorIcon />}>{text}</Status>;
    case 'refused':
      return <Status tone="warning" icon={<RefusedIcon />}>{text}</Status>;
    case 'running':
    case 'cancelling':
      return <Status tone="accent" icon={<RunningIcon />}>{text}</Status>;
    case 'done':
      return <Status icon={<CheckIcon />}>{text}</Status>;
    case 'cancelled':
      return <Status icon={<RefusedIcon />}>{text}</Status>;
    default:
      return <Status icon={<ClockIcon />}>{text}</Status>;
  }
}
