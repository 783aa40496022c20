// SPDX-License-Identifier: Apache-2.0
// Which rows arrived while the list was open: they are tinted for a moment. A change of filter or page starts afresh.
import { useEffect, useRef, useState } from 'react';

const TINT_MS = 6_000;
const NONE: ReadonlySet<string> = new Set();

export function useFresh(rows: readonly { id: string }[] | undefined, listKey: string, settled: boolean): ReadonlySet<string> {
  const known = useRef<{ key: string; ids: Set<string> } | null>(null);
  const [fresh, setFresh] = useState(NONE);
  useEffect(() => {
    if (!rows || !settled) return;
    const before = known.current;
    if (before?.key !== listKey) {
      known.current = { key: listKey, ids: new Set(rows.map((row) => row.id)) };
      setFresh(NONE);
      return;
    }
    const arrived = rows.filter((row) => !before.ids.has(row.id)).map((row) => row.id);
    if (arrived.length === 0) return;
    for (const id of arrived) before.ids.add(id);
    setFresh((current) => new Set([...current, ...arrived]));
  }, [rows, listKey, settled]);
  useEffect(() => {
    if (fresh.size === 0) return;
    const timer = setTimeout(() => setFresh(NONE), TINT_MS);
    return () => clearTimeout(timer);
  }, [fresh]);
  return fresh;
}
