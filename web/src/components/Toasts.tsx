// SPDX-License-Identifier: Apache-2.0
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import { useStore } from '@/services/store';
import { closeToast, toastStore } from '@/services/toasts';
import { Alert, AlertActionCloseButton } from './pf';

export function Toasts() {
  const { t } = useTranslation();
  const toasts = useStore(toastStore);
  return (
    <div className="sk-toasts" role="log" aria-live="polite" aria-label={t('shell.messages')}>
      {toasts.map((toast) => (
        <Alert
          key={toast.id}
          variant={toast.tone}
          title={toast.title}
          actionClose={<AlertActionCloseButton aria-label={t('action.close')} onClose={() => closeToast(toast.id)} />}
          actionLinks={
            toast.link && (
              <Link to={toast.link.to} onClick={() => closeToast(toast.id)}>
                {toast.link.text}
              </Link>
            )
          }
        >
          {toast.detail}
        </Alert>
      ))}
    </div>
  );
}
