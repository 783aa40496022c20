// SPDX-License-Identifier: Apache-2.0
// Details beside a list, so that the list keeps its place. Takes the focus when it opens, gives it back when it closes.
import { useEffect, useRef, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { CloseIcon } from './icons';
import { Button } from './pf';

interface Props {
  /** What is shown; when it changes, the panel is about something else. */
  subject: string;
  title: ReactNode;
  label: string;
  actions?: ReactNode;
  onClose: () => void;
  children: ReactNode;
}

export function SidePanel({ subject, title, label, actions, onClose, children }: Props) {
  const { t } = useTranslation();
  const heading = useRef<HTMLHeadingElement>(null);
  const body = useRef<HTMLDivElement>(null);
  const panel = useRef<HTMLElement>(null);
  const cameFrom = useRef<Element | null>(null);

  useEffect(() => {
    cameFrom.current = document.activeElement;
    const own = panel.current;
    return () => {
      const back = cameFrom.current;
      // Only if the focus would be lost otherwise.
      const lost = document.activeElement === document.body || own?.contains(document.activeElement);
      if (lost && back instanceof HTMLElement && back.isConnected) back.focus();
    };
  }, []);
  useEffect(() => {
    heading.current?.focus({ preventScroll: true });
    if (body.current) body.current.scrollTop = 0;
  }, [subject]);

  return (
    <aside
      ref={panel}
      className="sk-panel"
      aria-label={label}
      data-testid="side-panel"
      onKeyDown={(event) => {
        // Not for a dialog that was opened from here (it bubbles through React, not through the page), nor for an open menu.
        if (event.key !== 'Escape' || event.defaultPrevented || !event.currentTarget.contains(event.target as Node)) return;
        if (event.currentTarget.querySelector('.pf-v6-c-menu-toggle[aria-expanded="true"]')) return;
        onClose();
      }}
    >
      <header className="sk-panel-head">
        <h2 ref={heading} tabIndex={-1}>
          {title}
        </h2>
        <Button variant="plain" size="sm" aria-label={t('action.closePanel')} onClick={onClose} icon={<CloseIcon />} />
      </header>
      {actions && <div className="sk-panel-actions">{actions}</div>}
      <div className="sk-panel-body" ref={body} tabIndex={0} role="group" aria-label={label}>
        {children}
      </div>
    </aside>
  );
}
