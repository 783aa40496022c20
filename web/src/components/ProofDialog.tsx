// SPDX-License-Identifier: Apache-2.0
// The signed end of the audit's chain, to be kept elsewhere.
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { queries } from '@/hooks/queries';
import { useFormat } from '@/hooks/useFormat';
import { download } from '@/services/download';
import { CopyBlock } from './CopyBlock';
import { ErrorState } from './ErrorState';
import { Facts } from './Facts';
import { DownloadIcon } from './icons';
import { Button, Modal, ModalBody, ModalFooter, ModalHeader, Skeleton } from './pf';

export function ProofDialog({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation('audit');
  const format = useFormat();
  const head = useQuery(queries.auditHead());
  const json = head.data && JSON.stringify(head.data, null, 2);
  return (
    <Modal variant="medium" isOpen onClose={onClose} aria-label={t('proof.title')}>
      <ModalHeader title={t('proof.title')} />
      <ModalBody tabIndex={0}>
        <p className="sk-prose">{t('proof.body')}</p>
        {head.isError && !head.data && <ErrorState compact error={head.error} onRetry={() => void head.refetch()} />}
        {head.isPending && <Skeleton height="120px" screenreaderText={t('common:state.loading')} />}
        {head.data && json && (
          <>
            <Facts
              items={[
                { term: t('proof.sequence'), value: format.number(head.data.sequence) },
                { term: t('proof.at'), value: format.timeExact(head.data.at) },
              ]}
            />
            <CopyBlock text={json} label={t('proof.statement')} testId="audit-head" />
          </>
        )}
      </ModalBody>
      <ModalFooter>
        <Button variant="primary" icon={<DownloadIcon />} isDisabled={!head.data} onClick={() => head.data && json && download(`sekisho-audit-${head.data.tenant}-${head.data.sequence}.json`, 'application/json', `${json}\n`)} data-testid="download-head">
          {t('proof.download')}
        </Button>
        <Button variant="link" onClick={onClose}>
          {t('common:action.close')}
        </Button>
      </ModalFooter>
    </Modal>
  );
}
