// SPDX-License-Identifier: Apache-2.0
// Asks before something that cannot simply be undone. Names the consequences; shows a refusal where it happened.
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { useProblemText } from './ErrorState';
import { asProblem } from '@/services/problem';
import { Alert, Button, Modal, ModalBody, ModalFooter, ModalHeader } from './pf';

interface Props {
  title: string;
  confirm: string;
  danger?: boolean;
  /** Room for a form with several fields. */
  wide?: boolean;
  busy: boolean;
  disabled?: boolean;
  error?: unknown;
  /** What else can be done about the error. */
  remedy?: ReactNode;
  onConfirm: () => void;
  onClose: () => void;
  children: ReactNode;
}

export function ConfirmDialog({ title, confirm, danger = false, wide = false, busy, disabled = false, error, remedy, onConfirm, onClose, children }: Props) {
  const { t } = useTranslation();
  const problemText = useProblemText();
  const text = error ? problemText(asProblem(error)) : null;
  return (
    <Modal variant={wide ? 'medium' : 'small'} isOpen onClose={onClose} aria-label={title}>
      <ModalHeader title={title} titleIconVariant={danger ? 'warning' : undefined} />
      <ModalBody tabIndex={0}>
        {text && (
          <Alert variant="danger" isInline title={text.title} className="sk-form-alert" actionLinks={remedy}>
            {text.details.join(' ')}
          </Alert>
        )}
        {children}
      </ModalBody>
      <ModalFooter>
        <Button variant={danger ? 'danger' : 'primary'} isLoading={busy} isDisabled={busy || disabled} onClick={onConfirm}>
          {confirm}
        </Button>
        <Button variant="link" onClick={onClose}>
          {t('action.cancel')}
        </Button>
      </ModalFooter>
    </Modal>
  );
}
