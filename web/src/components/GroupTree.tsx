// SPDX-License-Identifier: Apache-2.0
// The tree of groups: beside the device list to choose one, in forms to tick several. Arrow keys walk it, Enter chooses,
// left and right fold.
import { useMemo, useRef, useState, type KeyboardEvent } from 'react';
import { useTranslation } from 'react-i18next';
import type { Group } from '@/api/types';
import { useFormat, useGroupName } from '@/hooks/useFormat';
import { buildTree, type GroupNode } from '@/services/tree';
import { CaretDownIcon, CaretRightIcon, FolderIcon, LostIcon } from './icons';

interface Row {
  node: GroupNode;
  depth: number;
  parent: string | undefined;
}

interface Props {
  groups: readonly Group[];
  /** undefined: the whole tenant. */
  chosen: string | undefined;
  onChoose: (group: Group | undefined) => void;
  /** Several can be ticked; a tick holds for all groups below. `onChoose` then toggles. */
  ticked?: ReadonlySet<string>;
  label?: string;
}

export function GroupTree({ groups, chosen, onChoose, ticked, label }: Props) {
  const { t } = useTranslation('devices');
  const [folded, setFolded] = useState<ReadonlySet<string>>(new Set());
  const list = useRef<HTMLUListElement>(null);
  const roots = useMemo(() => buildTree(groups), [groups]);
  const rows = useMemo(() => visibleRows(roots, folded), [roots, folded]);
  const root = roots[0]?.group.id;
  const selected = rows.some((row) => row.node.group.id === chosen) ? chosen : root;
  const within = useMemo(() => (ticked ? included(roots, ticked) : undefined), [roots, ticked]);
  const [focused, setFocused] = useState<string>();
  const tabStop = rows.some((row) => row.node.group.id === focused) ? focused : selected;

  // The root is the whole tenant: choosing it takes the filter away.
  const choose = (row: Row) => {
    if (ticked && within?.has(row.node.group.id)) return;
    onChoose(!ticked && row.node.group.id === root ? undefined : row.node.group);
  };
  const focus = (id: string | undefined) => {
    if (id === undefined) return;
    setFocused(id);
    list.current?.querySelector<HTMLElement>(`[data-group="${CSS.escape(id)}"]`)?.focus();
  };
  const fold = (id: string, on: boolean) => {
    const next = new Set(folded);
    if (on) next.add(id);
    else next.delete(id);
    setFolded(next);
  };
  const onKey = (event: KeyboardEvent, row: Row, index: number) => {
    const id = row.node.group.id;
    const open = row.node.children.length > 0 && !folded.has(id);
    const acts: Record<string, () => void> = {
      ArrowDown: () => focus(rows[index + 1]?.node.group.id),
      ArrowUp: () => focus(rows[index - 1]?.node.group.id),
      Home: () => focus(rows[0]?.node.group.id),
      End: () => focus(rows.at(-1)?.node.group.id),
      ArrowRight: () => (open ? focus(rows[index + 1]?.node.group.id) : fold(id, false)),
      ArrowLeft: () => (open ? fold(id, true) : focus(row.parent)),
      Enter: () => choose(row),
      ' ': () => choose(row),
    };
    const act = acts[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  };

  return (
    <ul className="sk-tree" role="tree" aria-label={label ?? t('tree.label')} aria-multiselectable={ticked ? true : undefined} ref={list}>
      {rows.map((row, index) => (
        <TreeRow
          key={row.node.group.id}
          row={row}
          folded={folded.has(row.node.group.id)}
          selected={!ticked && row.node.group.id === selected}
          tick={ticked && (within?.has(row.node.group.id) ? 'within' : ticked.has(row.node.group.id) ? 'on' : 'off')}
          tabStop={row.node.group.id === tabStop}
          onFold={(on) => fold(row.node.group.id, on)}
          onChoose={() => choose(row)}
          onFocus={() => setFocused(row.node.group.id)}
          onKeyDown={(event) => onKey(event, row, index)}
        />
      ))}
    </ul>
  );
}

interface RowProps {
  row: Row;
  folded: boolean;
  selected: boolean;
  tick: 'on' | 'off' | 'within' | undefined;
  tabStop: boolean;
  onFold: (on: boolean) => void;
  onChoose: () => void;
  onFocus: () => void;
  onKeyDown: (event: KeyboardEvent) => void;
}

function TreeRow({ row, folded, selected, tick, tabStop, onFold, onChoose, onFocus, onKeyDown }: RowProps) {
  const groupName = useGroupName();
  const format = useFormat();
  const { group, children, devices } = row.node;
  const Caret = folded ? CaretRightIcon : CaretDownIcon;
  const Icon = group.name === 'group.lost_and_found' ? LostIcon : FolderIcon;
  const name = groupName(group.name);
  return (
    <li
      role="treeitem"
      aria-level={row.depth + 1}
      aria-selected={tick ? undefined : selected}
      aria-checked={tick ? tick !== 'off' : undefined}
      aria-disabled={tick === 'within' || undefined}
      aria-expanded={children.length > 0 ? !folded : undefined}
      tabIndex={tabStop ? 0 : -1}
      data-group={group.id}
      className={selected ? 'sk-chosen' : undefined}
      style={{ paddingInlineStart: 6 + row.depth * 14 }}
      onClick={onChoose}
      onFocus={onFocus}
      onKeyDown={onKeyDown}
      title={name}
    >
      <span
        className="sk-tree-caret"
        aria-hidden="true"
        onClick={(event) => {
          if (children.length === 0) return;
          event.stopPropagation();
          onFold(!folded);
        }}
      >
        {children.length > 0 && <Caret />}
      </span>
      {tick && <span className={`sk-tree-box sk-tree-${tick}`} aria-hidden="true" />}
      <span className="sk-tree-icon" aria-hidden="true">
        <Icon />
      </span>
      <span className="sk-tree-name">{name}</span>
      <span className="sk-tree-count">{format.number(devices)}</span>
    </li>
  );
}

/** Groups that lie below a ticked one and so need no tick of their own. */
function included(roots: readonly GroupNode[], ticked: ReadonlySet<string>): ReadonlySet<string> {
  const within = new Set<string>();
  const walk = (nodes: readonly GroupNode[], inside: boolean) => {
    for (const node of nodes) {
      if (inside) within.add(node.group.id);
      walk(node.children, inside || ticked.has(node.group.id));
    }
  };
  walk(roots, false);
  return within;
}

function visibleRows(roots: readonly GroupNode[], folded: ReadonlySet<string>): Row[] {
  const rows: Row[] = [];
  const walk = (nodes: readonly GroupNode[], depth: number, parent: string | undefined) => {
    for (const node of nodes) {
      rows.push({ node, depth, parent });
      if (!folded.has(node.group.id)) walk(node.children, depth + 1, node.group.id);
    }
  };
  walk(roots, 0, undefined);
  return rows;
}
