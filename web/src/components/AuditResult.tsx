// SPDX-License-Identifier: Apache-2.0
import { useTranslation } from 'react-i18next';
import type { AuditResult } from '@/api/types';
import { CheckIcon, ErrorIcon, RefusedIcon } from './icons';
import { Status } from './Status';

export function AuditResultText({ result }: { result: AuditResult }) {
  const { t } = useTranslation('audit');
  const text = t(`result.${result}`);
  if (result === 'failed') return <Status tone="danger" icon={<ErrorIcon />}>{text}</Status>;
  if (result === 'denied') return <Status tone="warning" icon={<RefusedIcon />}>{text}</Status>;
  return <Status icon={<CheckIcon />}>{text}</Status>;
}
