// SPDX-License-Identifier: Apache-2.0
// Warns before an idle session ends, and ends it.
import { useEffect } from 'react';
import { useTranslation } from 'react-i18next';
import { useNow } from '@/hooks/useNow';
import { formatCountdown } from '@/services/format';
import { IDLE_WARNING_MS, idleEndsAt, touch, watchActivity } from '@/services/idle';
import { signOut } from '@/services/session';
import { Button, Modal, ModalBody, ModalFooter, ModalHeader } from './pf';

export function IdleGuard() {
  const { t } = useTranslation();
  useNow(1_000);
  useEffect(watchActivity, []);
  const left = idleEndsAt() - Date.now();
  const over = left <= 0;
  useEffect(() => {
    if (over) void signOut('idle');
  }, [over]);
  if (left > IDLE_WARNING_MS || over) return null;
  return (
    <Modal variant="small" isOpen aria-label={t('shell.idleTitle')} onClose={touch}>
      <ModalHeader title={t('shell.idleTitle')} />
      <ModalBody>{t('shell.idleBody', { time: formatCountdown(left) })}</ModalBody>
      <ModalFooter>
        <Button variant="primary" onClick={touch}>
          {t('shell.idleStay')}
        </Button>
        <Button variant="link" onClick={() => void signOut()}>
          {t('shell.signOut')}
        </Button>
      </ModalFooter>
    </Modal>
  );
}
