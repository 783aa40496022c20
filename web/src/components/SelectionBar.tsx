// SPDX-License-Identifier: Apache-2.0
// Stands in for the filters while rows are ticked: how many, what can be done, and how to let go.
import { useTranslation } from 'react-i18next';
import { useFormat } from '@/hooks/useFormat';
import { ActionMenu, type Action } from './ActionMenu';
import { Button } from './pf';

interface Props {
  size: number;
  onClear: () => void;
  actions: readonly Action[];
  /** How many of the actions stand as buttons; the rest is in a menu. */
  buttons?: number;
  note?: string | undefined;
}

export function SelectionBar({ size, onClear, actions, buttons = 3, note }: Props) {
  const { t } = useTranslation();
  const format = useFormat();
  const rest = actions.slice(buttons).map((action, index) => (index === 0 ? { ...action, apart: false } : action));
  return (
    <div className="sk-selection" role="toolbar" aria-label={t('table.selectionActions')} data-testid="selection-bar">
      <strong className="sk-tabular">{t('table.selected', { count: size, number: format.number(size) })}</strong>
      <Button variant="link" size="sm" onClick={onClear}>
        {t('table.clearSelection')}
      </Button>
      <span className="sk-selection-line" aria-hidden="true" />
      {actions.slice(0, buttons).map((action) => (
        <Button key={action.key} variant="secondary" size="sm" isDisabled={action.disabled} onClick={action.run} data-action={action.key}>
          {action.text}
        </Button>
      ))}
      <ActionMenu label={t('action.moreActions')} text={t('action.more')} actions={rest} testId="selection-more" />
      {note && <span className="sk-muted">{note}</span>}
    </div>
  );
}
