// SPDX-License-Identifier: Apache-2.0
// Words for what the audit holds as codes; a code that this console does not know stays as it is.
import { useTranslation } from 'react-i18next';
import { TASK_TYPES, type AuditChange, type AuditRecord } from '@/api/types';
import { useGroupName, useSetName } from './useFormat';

export function useAuditText() {
  const { t, i18n } = useTranslation('audit');
  const groupName = useGroupName();
  const setName = useSetName();
  const known = (key: string, code: string) => (code !== '' && i18n.exists(`audit:${key}`) ? t(key) : code);
  const value = (text: string): string => {
    if (text === 'true' || text === 'false') return t(`value.${text}`);
    if (text.startsWith('group.')) return groupName(text);
    return text.startsWith('permission_set.') ? setName({ name: text }) : text;
  };
  return {
    action: (record: Pick<AuditRecord, 'action' | 'result'>): string => {
      const refused = `refused.${record.action}`;
      return record.result === 'denied' && i18n.exists(`audit:${refused}`) ? t(refused) : known(`action.${record.action}`, record.action);
    },
    actionCode: (code: string) => known(`action.${code}`, code),
    domain: (code: string) => known(`domain.${code}`, code),
    field: (change: Pick<AuditChange, 'field'>) => {
      if (i18n.exists(`access:functionality.${change.field}`)) return t(`access:functionality.${change.field}`);
      return known(`field.${change.field}`, change.field);
    },
    /** Rights of a set are changes of their functionality, with levels as values. */
    value: (text: string, field?: string) => (field !== undefined && i18n.exists(`access:functionality.${field}`) && i18n.exists(`access:level.${text}`) ? t(`access:level.${text}`) : value(text)),
    object: (record: Pick<AuditRecord, 'domain' | 'object_name'>): string => {
      const type = TASK_TYPES.find((one) => one === record.object_name);
      if (record.domain === 'task' && type) return t(`common:enum.taskType.${type}`);
      return value(record.object_name);
    },
  };
}
