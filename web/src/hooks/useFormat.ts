// SPDX-License-Identifier: Apache-2.0
// Formatters bound to the viewer's language and the tenant's time zone, and texts of the server's message codes.
import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import type { Language, PermissionSet } from '@/api/types';
import { formatAgo, formatBytes, formatDay, formatNumber, formatTime } from '@/services/format';
import { useMe } from './useMe';

export function useLanguage(): Language {
  const { i18n } = useTranslation();
  return i18n.language === 'ja' ? 'ja' : 'en';
}

export function useFormat() {
  const language = useLanguage();
  const zone = useMe()?.time_zone;
  return useMemo(
    () => ({
      zone,
      bytes: (value: number) => formatBytes(value, language),
      number: (value: number) => formatNumber(value, language),
      time: (iso: string | number) => formatTime(iso, language, zone),
      timeExact: (iso: string | number) => formatTime(iso, language, zone, true),
      day: (day: string) => formatDay(day, language),
      ago: (iso: string, now: number) => formatAgo(iso, now, language),
    }),
    [language, zone],
  );
}

/** Text of a message code such as problem.disk_low with its arguments; a code that this console does not know stays as it is. */
export function useMessageCode(): (family: 'problem' | 'result', code: string, args?: readonly string[]) => string {
  const { t, i18n } = useTranslation('codes');
  return (family, code, args = []) => {
    const key = `${family}.${code}`;
    if (!i18n.exists(key, { ns: 'codes', count: 1 })) return code;
    const values: Record<string, string | number> = { arg1: '', arg2: '', arg3: '', list: args.join(', ') };
    args.forEach((arg, index) => {
      values[`arg${index + 1}`] = arg;
    });
    // The first argument that is a number chooses singular or plural where the text has both.
    values.count = args.map(Number).find((value) => Number.isFinite(value)) ?? 0;
    return t(key, values);
  };
}

/** Built-in groups carry a message code as their name; people's groups the name itself. */
export function useGroupName(): (name: string) => string {
  const { t, i18n } = useTranslation('codes');
  return (name) => (name.startsWith('group.') && i18n.exists(name, { ns: 'codes' }) ? t(name) : name);
}

/** Name of a permission set: a message code for built-in ones. */
export function useSetName(): (set: { name: string }) => string {
  const { t, i18n } = useTranslation('codes');
  return ({ name }) => (name.startsWith('permission_set.') && i18n.exists(name, { ns: 'codes' }) ? t(name) : name);
}

/** Where the rights of a set hold, in words. */
export function useSetPlace(): (set: Pick<PermissionSet, 'groups' | 'on_home_group'>) => string {
  const { t } = useTranslation('access');
  const groupName = useGroupName();
  return (set) => {
    if (set.on_home_group) return t('sets.homeGroup');
    return set.groups.length === 0 ? groupName('group.all') : set.groups.map((group) => groupName(group.name)).join(t('sets.separator'));
  };
}

/** "Devices: Write" for devices.write; a right that this console does not know stays as it is. */
export function useRightName(): (right: string) => string {
  const { t, i18n } = useTranslation('access');
  return (right) => {
    const [functionality, level] = right.split('.');
    const keys = [`access:functionality.${functionality}`, `access:level.${level}`];
    if (!keys.every((key) => i18n.exists(key))) return right;
    return t('right', { functionality: t(`functionality.${functionality}`), level: t(`level.${level}`) });
  };
}

/** A task without a name of its own is called by its type. */
export function useTaskName(): (task: { type: string; name: string }) => string {
  const { t } = useTranslation();
  return (task) => task.name || t(`enum.taskType.${task.type}`);
}
