// SPDX-License-Identifier: Apache-2.0
// The two views of work: by task, or by single execution.
import { useTranslation } from 'react-i18next';
import { NavLink } from 'react-router';

export function TaskTabs() {
  const { t } = useTranslation('tasks');
  return (
    <nav className="sk-views" aria-label={t('views')}>
      <NavLink to="/tasks" end>
        {t('byTask')}
      </NavLink>
      <NavLink to="/tasks/executions">{t('byExecution')}</NavLink>
    </nav>
  );
}
