// SPDX-License-Identifier: Apache-2.0
// Something of ours broke, or a page's file is gone after an upgrade. Reloading is the honest way out.
import { useEffect } from 'react';
import { useTranslation } from 'react-i18next';
import { useRouteError } from 'react-router';
import { ErrorIcon } from '@/components/icons';
import { Button, EmptyState, EmptyStateActions, EmptyStateBody, EmptyStateFooter } from '@/components/pf';

export function CrashPage() {
  const { t } = useTranslation();
  const error = useRouteError();
  useEffect(() => {
    console.error(error);
  }, [error]);
  return (
    <EmptyState headingLevel="h1" icon={ErrorIcon} status="danger" titleText={t('crash.title')} role="alert">
      <EmptyStateBody>{t('crash.body')}</EmptyStateBody>
      <EmptyStateFooter>
        <EmptyStateActions>
          <Button variant="primary" onClick={() => window.location.reload()}>
            {t('crash.reload')}
          </Button>
        </EmptyStateActions>
      </EmptyStateFooter>
    </EmptyState>
  );
}
