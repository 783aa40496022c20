// SPDX-License-Identifier: Apache-2.0
// Nothing here: either the filters match nothing, or there is nothing yet and the text says the next step.
import type { ComponentType, ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { SearchMissIcon } from './icons';
import { Button, EmptyState, EmptyStateActions, EmptyStateBody, EmptyStateFooter } from './pf';

interface Props {
  filtered?: boolean;
  onClear?: () => void;
  icon: ComponentType;
  title: string;
  body: string;
  action?: ReactNode;
}

export function ListEmpty({ filtered = false, onClear, icon, title, body, action }: Props) {
  const { t } = useTranslation();
  if (filtered) {
    return (
      <EmptyState variant="sm" icon={SearchMissIcon} headingLevel="h2" titleText={t('empty.filtered')}>
        <EmptyStateBody>{t('empty.filteredBody')}</EmptyStateBody>
        <EmptyStateFooter>
          <EmptyStateActions>
            <Button variant="link" onClick={onClear}>
              {t('filter.clear')}
            </Button>
          </EmptyStateActions>
        </EmptyStateFooter>
      </EmptyState>
    );
  }
  return (
    <EmptyState variant="sm" icon={icon} headingLevel="h2" titleText={title}>
      <EmptyStateBody>{body}</EmptyStateBody>
      {action && (
        <EmptyStateFooter>
          <EmptyStateActions>{action}</EmptyStateActions>
        </EmptyStateFooter>
      )}
    </EmptyState>
  );
}
