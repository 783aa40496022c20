// SPDX-License-Identifier: Apache-2.0
// Rows ticked in a list. Kept by id with the row as last seen, so it outlives refreshes and paging.
import { useCallback, useMemo, useState } from 'react';

export interface Selection<T> {
  size: number;
  rows: T[];
  has(id: string): boolean;
  toggle(rows: readonly T[], on: boolean): void;
  clear(): void;
}

export function useSelection<T extends { id: string }>(): Selection<T> {
  const [chosen, setChosen] = useState<ReadonlyMap<string, T>>(new Map());
  const toggle = useCallback((rows: readonly T[], on: boolean) => {
    setChosen((before) => {
      const after = new Map(before);
      for (const row of rows) {
        if (on) after.set(row.id, row);
        else after.delete(row.id);
      }
      return after;
    });
  }, []);
  const clear = useCallback(() => setChosen(new Map()), []);
  return useMemo(
    () => ({ size: chosen.size, rows: [...chosen.values()], has: (id) => chosen.has(id), toggle, clear }),
    [chosen, toggle, clear],
  );
}
