// SPDX-License-Identifier: Apache-2.0
// Who is signed in, how long the session lasts, and the way out.
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useLocation, useNavigate } from 'react-router';
import { useMe } from '@/hooks/useMe';
import { useNow } from '@/hooks/useNow';
import { formatCountdown } from '@/services/format';
import { idleEndsAt } from '@/services/idle';
import { signOut } from '@/services/session';
import { UserIcon } from './icons';
import { Divider, Dropdown, DropdownItem, DropdownList, MenuToggle } from './pf';

function Countdown() {
  const { t } = useTranslation();
  useNow(1_000);
  return <p className="sk-muted sk-tabular">{t('shell.sessionEnds', { time: formatCountdown(idleEndsAt() - Date.now()) })}</p>;
}

export function UserMenu() {
  const { t } = useTranslation();
  const me = useMe();
  const navigate = useNavigate();
  const { pathname, search } = useLocation();
  const [open, setOpen] = useState(false);
  const name = me?.display_name || me?.name || '';
  return (
    <Dropdown
      isOpen={open}
      onOpenChange={setOpen}
      onSelect={() => setOpen(false)}
      popperProps={{ position: 'right' }}
      toggle={(ref) => (
        <MenuToggle ref={ref} variant="plainText" isExpanded={open} onClick={() => setOpen(!open)} icon={<UserIcon />} aria-label={t('shell.userMenu', { name })} data-testid="user-menu">
          {name}
        </MenuToggle>
      )}
    >
      <div className="sk-user-card">
        <strong>{name}</strong>
        <p className="sk-muted">
          {me?.tenant}/{me?.name}
        </p>
        {open && <Countdown />}
      </div>
      <Divider />
      <DropdownList>
        <DropdownItem onClick={() => void navigate('/sessions')} data-testid="menu-sessions">
          {t('shell.sessions')}
        </DropdownItem>
        <DropdownItem onClick={() => void navigate('/password')} data-testid="menu-password">
          {t('shell.changePassword')}
        </DropdownItem>
        <DropdownItem onClick={() => void navigate(`/second-factor?next=${encodeURIComponent(pathname + search)}`)} data-testid="menu-second-factor">
          {t('shell.secondFactor')}
        </DropdownItem>
        <DropdownItem onClick={() => void signOut()} data-testid="menu-sign-out">
          {t('shell.signOut')}
        </DropdownItem>
      </DropdownList>
    </Dropdown>
  );
}
