// SPDX-License-Identifier: Apache-2.0
// A list's state lives in the URL: filters, sort, the cursor of the page shown and the row whose details are open.
// So a list can be bookmarked, sent to a colleague, reloaded and walked with the browser's back button.
import { useCallback, useMemo } from 'react';
import { useLocation, useSearchParams } from 'react-router';
import { readPref, writePref } from '@/services/prefs';

export const PAGE_SIZES = [25, 50, 100, 200];
const CURSOR = 'cursor';
const SHOW = 'show';
const SIZE_PREF = 'page-size';

interface PageTrail {
  trail?: string[]; // cursors of the pages before this one, '' for the first
}

export interface ListState {
  get(name: string): string | undefined;
  has(name: string): boolean;
  /** Changes filters or sort; null removes. Always goes back to the first page. */
  set(changes: Record<string, string | null>, options?: { replace?: boolean }): void;
  clear(names: readonly string[]): void;
  cursor: string | undefined;
  /** Rows before this page, or null when it was reached by a link and we cannot know. */
  offset: number | null;
  limit: number;
  setLimit(limit: number): void;
  next(cursor: string): void;
  previous: (() => void) | null;
  first(): void;
  shown: string | undefined;
  show(id: string | null): void;
}

export function useListState(): ListState {
  const [params, setParams] = useSearchParams();
  const location = useLocation();
  const limit = readLimit(params.get('limit'));
  const trail = (location.state as PageTrail | null)?.trail;

  const set = useCallback<ListState['set']>(
    (changes, options) => {
      const after = currentParams();
      after.delete(CURSOR);
      for (const [name, value] of Object.entries(changes)) {
        if (value === null || value === '') after.delete(name);
        else after.set(name, value);
      }
      setParams(after, { replace: options?.replace ?? false, preventScrollReset: true });
    },
    [setParams],
  );

  return useMemo<ListState>(() => {
    const cursor = params.get(CURSOR) ?? undefined;
    const goTo = (target: string, nextTrail: string[]) => {
      const after = currentParams();
      if (target === '') after.delete(CURSOR);
      else after.set(CURSOR, target);
      setParams(after, { state: { trail: nextTrail } satisfies PageTrail });
    };
    return {
      get: (name) => params.get(name) ?? undefined,
      has: (name) => params.has(name),
      set,
      clear: (names) => set(Object.fromEntries(names.map((name) => [name, null]))),
      cursor,
      offset: cursor === undefined ? 0 : trail ? trail.length * limit : null,
      limit,
      setLimit: (size) => {
        writePref(SIZE_PREF, String(size));
        set({ limit: String(size) });
      },
      next: (target) => goTo(target, [...(trail ?? (cursor === undefined ? [] : [''])), cursor ?? '']),
      previous: trail && trail.length > 0 ? () => goTo(trail.at(-1) ?? '', trail.slice(0, -1)) : null,
      first: () => goTo('', []),
      shown: params.get(SHOW) ?? undefined,
      show: (id) => {
        const after = currentParams();
        if (id === null) after.delete(SHOW);
        else after.set(SHOW, id);
        // Opening makes a history entry, walking from row to row does not.
        setParams(after, { replace: params.has(SHOW), state: location.state, preventScrollReset: true });
      },
    };
  }, [params, setParams, set, trail, limit, location.state]);
}

/** From the address bar, not from the last render: two quick changes must not undo each other. */
function currentParams(): URLSearchParams {
  return new URLSearchParams(window.location.search);
}

function readLimit(param: string | null): number {
  const wanted = Number(param ?? readPref(SIZE_PREF) ?? 50);
  return PAGE_SIZES.includes(wanted) ? wanted : 50;
}

export function readTime(value: string | undefined): string | undefined {
  return value !== undefined && !Number.isNaN(Date.parse(value)) ? value : undefined;
}

export function readUuid(value: string | undefined): string | undefined {
  return value !== undefined && /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(value) ? value : undefined;
}

/** One of the allowed values, or undefined: a hand-edited URL must not make a request that the contract refuses. */
export function oneOf<T extends string>(allowed: readonly T[], value: string | undefined): T | undefined {
  return allowed.find((candidate) => candidate === value);
}
