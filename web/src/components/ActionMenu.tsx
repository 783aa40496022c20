// SPDX-License-Identifier: Apache-2.0
// A button that opens a menu of actions.
import { useState, type ReactNode } from 'react';
import { MoreIcon } from './icons';
import { Button, Divider, Dropdown, DropdownItem, DropdownList, MenuToggle } from './pf';

export interface Action {
  key: string;
  text: string;
  danger?: boolean;
  disabled?: boolean;
  /** A line above: begins another kind of action. */
  apart?: boolean;
  run: () => void;
}

/** Stands for the menu of a row until it is wanted: a whole menu in each row made long lists slow. */
export function ClosedMenu({ label, onOpen }: { label: string; onOpen: () => void }) {
  // After this click has ended: the menu would take it for one outside itself and close.
  const open = () => void setTimeout(onOpen);
  return <Button variant="plain" size="sm" aria-label={label} aria-expanded={false} onClick={open} icon={<MoreIcon />} />;
}

interface Props {
  label: string;
  actions: readonly Action[];
  text?: ReactNode;
  testId?: string;
  /** Open, with the focus, from the first moment. */
  startOpen?: boolean;
}

export function ActionMenu({ label, actions, text, testId, startOpen = false }: Props) {
  const [open, setOpen] = useState(startOpen);
  if (actions.length === 0) return null;
  return (
    <Dropdown
      isOpen={open}
      onOpenChange={setOpen}
      onSelect={() => setOpen(false)}
      shouldFocusToggleOnSelect
      popperProps={{ position: 'right' }}
      toggle={(ref) => (
        <MenuToggle ref={ref} autoFocus={startOpen} variant={text ? 'secondary' : 'plain'} size="sm" isExpanded={open} onClick={() => setOpen(!open)} aria-label={label} data-testid={testId} icon={text ? undefined : <MoreIcon />}>
          {text}
        </MenuToggle>
      )}
    >
      <DropdownList>
        {actions.flatMap((action) => [
          action.apart ? <Divider key={`${action.key}-line`} component="li" /> : null,
          <DropdownItem key={action.key} isDanger={action.danger} isDisabled={action.disabled} onClick={action.run} data-action={action.key}>
            {action.text}
          </DropdownItem>,
        ])}
      </DropdownList>
    </Dropdown>
  );
}
