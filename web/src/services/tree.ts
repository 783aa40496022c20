// SPDX-License-Identifier: Apache-2.0
// Group lists come flat; the tree is made here. All stands first, Lost & found last among its siblings.
import type { Group } from '@/api/types';

export interface GroupNode {
  group: Group;
  children: GroupNode[];
  /** Devices in this group and below it. */
  devices: number;
}

function order(left: Group, right: Group): number {
  if (left.built_in !== right.built_in) return left.built_in ? 1 : -1;
  return left.name.localeCompare(right.name);
}

export function buildTree(groups: readonly Group[]): GroupNode[] {
  const known = new Set(groups.map((group) => group.id));
  const below = new Map<string | undefined, Group[]>();
  for (const group of groups) {
    const parent = group.parent_id !== undefined && known.has(group.parent_id) ? group.parent_id : undefined;
    below.set(parent, [...(below.get(parent) ?? []), group]);
  }
  const make = (parent: string | undefined): GroupNode[] =>
    (below.get(parent) ?? []).sort(order).map((group) => {
      const children = make(group.id);
      return { group, children, devices: children.reduce((sum, child) => sum + child.devices, group.devices) };
    });
  return make(undefined);
}

export function flattenTree(groups: readonly Group[]): { group: Group; depth: number }[] {
  const rows: { group: Group; depth: number }[] = [];
  const walk = (nodes: readonly GroupNode[], depth: number) => {
    for (const node of nodes) {
      rows.push({ group: node.group, depth });
      walk(node.children, depth + 1);
    }
  };
  walk(buildTree(groups), 0);
  return rows;
}
