// SPDX-License-Identifier: Apache-2.0
// "Who did this": leads from an object, or a person, to its part of the audit. Absent where the audit cannot be seen.
import { useTranslation } from 'react-i18next';
import { useNavigate } from 'react-router';
import type { Action } from '@/components/ActionMenu';
import { useMaySee } from './useMe';

export function useAuditActions(object: string | undefined, options: { apart?: boolean; person?: boolean } = {}): Action[] {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const may = useMaySee()('audit');
  if (!may || object === undefined) return [];
  const actions: Action[] = [{ key: 'audit', text: t('action.audit'), apart: options.apart, run: () => void navigate(`/audit?object=${object}`) }];
  if (options.person) actions.push({ key: 'audit-person', text: t('action.auditPerson'), run: () => void navigate(`/audit?user=${object}`) });
  return actions;
}
