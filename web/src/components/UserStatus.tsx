// SPDX-License-Identifier: Apache-2.0
// Whether a person can sign in, and with what, as icon + word.
import { useTranslation } from 'react-i18next';
import type { User } from '@/api/types';
import { CheckIcon, ClockIcon, LockIcon, RefusedIcon, WarningIcon } from './icons';
import { Status } from './Status';

export type UserCondition = 'enabled' | 'must_change' | 'locked' | 'disabled';

/** The strongest thing first: who is disabled cannot sign in, locked or not. */
export function userCondition(user: Pick<User, 'enabled' | 'locked_until' | 'must_change_password'>, now: number): UserCondition {
  if (!user.enabled) return 'disabled';
  if (user.locked_until !== undefined && Date.parse(user.locked_until) > now) return 'locked';
  return user.must_change_password ? 'must_change' : 'enabled';
}

export function UserStatus({ user, now }: { user: User; now: number }) {
  const { t } = useTranslation('users');
  const condition = userCondition(user, now);
  const text = t(`condition.${condition}`);
  switch (condition) {
    case 'disabled':
      return <Status icon={<RefusedIcon />}>{text}</Status>;
    case 'locked':
      return <Status tone="warning" icon={<LockIcon />}>{text}</Status>;
    case 'must_change':
      return <Status icon={<ClockIcon />}>{text}</Status>;
    default:
      return <Status icon={<CheckIcon />}>{text}</Status>;
  }
}

export function SecondFactorStatus({ user }: { user: Pick<User, 'two_factor' | 'two_factor_required'> }) {
  const { t } = useTranslation('users');
  if (user.two_factor) return <Status icon={<CheckIcon />}>{t('secondFactor.on')}</Status>;
  if (user.two_factor_required) return <Status tone="warning" icon={<WarningIcon />}>{t('secondFactor.awaited')}</Status>;
  return <Status icon={<RefusedIcon />}>{t('secondFactor.off')}</Status>;
}
