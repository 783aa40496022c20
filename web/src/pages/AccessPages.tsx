// SPDX-License-Identifier: Apache-2.0
// The way to the first page that a person may see, and what stands where a page asks for a right that is missing.
import { useTranslation } from 'react-i18next';
import { Navigate, Outlet } from 'react-router';
import { LockIcon } from '@/components/icons';
import { PageHeader } from '@/components/PageHeader';
import { EmptyState, EmptyStateBody } from '@/components/pf';
import { useRightName } from '@/hooks/useFormat';
import { useMe } from '@/hooks/useMe';
import { firstPage, missing, PAGES, type Page, type PageName } from '@/services/access';

export function FirstPage() {
  const { t } = useTranslation('access');
  const me = useMe();
  if (!me) return null;
  const to = firstPage(me);
  if (to !== null) return <Navigate to={to} replace />;
  return (
    <div className="sk-page">
      <PageHeader title={t('nothing.title')} />
      <EmptyState variant="sm" icon={LockIcon} headingLevel="h2" titleText={t('nothing.heading')}>
        <EmptyStateBody>{t('nothing.body')}</EmptyStateBody>
      </EmptyState>
    </div>
  );
}

export function NeedsPage({ page }: { page: PageName }) {
  const me = useMe();
  if (!me) return null;
  const wanted: Page = PAGES[page];
  const lacking = missing(me, wanted);
  return lacking ? <Lacking lacking={lacking} /> : <Outlet />;
}

/** No button to try again: only somebody else can change this. */
export function Lacking({ lacking }: { lacking: { entitlement: string } | { permission: string } }) {
  const { t } = useTranslation('access');
  const rightName = useRightName();
  const byPlan = 'entitlement' in lacking;
  return (
    <div className="sk-page" data-testid="lacking">
      <PageHeader title={t('lacking.title')} />
      <EmptyState
        variant="sm"
        icon={LockIcon}
        headingLevel="h2"
        titleText={
          byPlan
            ? t('common:failure.lacking.plan_lacks', { right: t(`entitlement.${lacking.entitlement}`) })
            : t('common:failure.lacking.permission_denied', { right: rightName(lacking.permission) })
        }
      >
        <EmptyStateBody>{t(byPlan ? 'common:failure.who.service' : 'common:failure.who.administrator')}</EmptyStateBody>
      </EmptyState>
    </div>
  );
}
