// SPDX-License-Identifier: Apache-2.0
// Search and drop-downs over a list; what is set shows as chips that can be taken away one by one.
import { useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { readTime, type ListState } from '@/hooks/useListState';
import { useMe } from '@/hooks/useMe';
import { dayAfter, dayOf, startOfDay } from '@/services/format';
import { Button, Label, SearchInput } from './pf';

const SEARCH_DELAY_MS = 300;
const SEARCH_LONGEST = 100; // the contract's maxLength

export function ListSearch({ state, label }: { state: ListState; label: string }) {
  const applied = state.get('search') ?? '';
  const [text, setText] = useState(applied);
  const [seen, setSeen] = useState(applied);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  if (seen !== applied) {
    // Changed elsewhere: a chip was removed, or the browser went back.
    setSeen(applied);
    setText(applied);
  }
  const apply = (value: string) => {
    clearTimeout(timer.current);
    const wanted = value.trim();
    setSeen(wanted);
    if (wanted !== applied) state.set({ search: wanted || null }, { replace: true });
  };
  useEffect(() => () => clearTimeout(timer.current), []);
  return (
    <SearchInput
      className="sk-search"
      aria-label={label}
      placeholder={label}
      value={text}
      onChange={(_event, value) => {
        const short = value.slice(0, SEARCH_LONGEST);
        setText(short);
        clearTimeout(timer.current);
        timer.current = setTimeout(() => apply(short), SEARCH_DELAY_MS);
      }}
      onKeyDown={(event) => {
        if (event.key === 'Enter') apply(text);
      }}
      onClear={() => {
        setText('');
        apply('');
      }}
    />
  );
}

interface Option {
  value: string;
  text: string;
}

interface SelectProps {
  state: ListState;
  name: string;
  label: string;
  options: readonly Option[];
  /** Further filters that a new choice takes away, since they may not go with it. */
  also?: readonly string[];
}

export function FilterSelect({ state, name, label, options, also = [] }: SelectProps) {
  const value = state.get(name) ?? '';
  return (
    <select
      className={value ? 'sk-filter sk-set' : 'sk-filter'}
      aria-label={label}
      value={options.some((option) => option.value === value) ? value : ''}
      onChange={(event) => state.set({ ...Object.fromEntries(also.map((other) => [other, null])), [name]: event.target.value || null })}
    >
      <option value="">{label}</option>
      {options.map((option) => (
        <option key={option.value} value={option.value}>
          {option.text}
        </option>
      ))}
    </select>
  );
}

/** Two calendar days in the tenant's time zone; in the address they are instants, as in links from elsewhere. */
export function DayRange({ state, fromLabel, toLabel }: { state: ListState; fromLabel: string; toLabel: string }) {
  const zone = useMe()?.time_zone;
  const [from, to] = [readTime(state.get('from')), readTime(state.get('to'))];
  const firstDay = from === undefined ? '' : dayOf(Date.parse(from), zone);
  const lastDay = to === undefined ? '' : dayOf(Date.parse(to) - 1, zone); // the end itself is not within
  const input = (label: string, value: string, name: string, instant: (day: string) => Date, limits: { min?: string; max?: string }) => (
    <label className={value ? 'sk-day sk-set' : 'sk-day'}>
      <span>{label}</span>
      <input
        type="date"
        value={value}
        {...limits}
        onChange={(event) => {
          const day = event.target.value;
          if (day === '' || event.target.validity.valid) state.set({ [name]: day && instant(day).toISOString() });
        }}
        data-testid={`filter-${name}`}
      />
    </label>
  );
  return (
    <>
      {input(fromLabel, firstDay, 'from', (day) => startOfDay(day, zone), lastDay ? { max: lastDay } : {})}
      {input(toLabel, lastDay, 'to', (day) => startOfDay(dayAfter(day), zone), firstDay ? { min: firstDay } : {})}
    </>
  );
}

export interface Chip {
  name: string;
  /** Further parameters that go with this one. */
  also?: readonly string[];
  label: string;
  value: string;
}

export function FilterChips({ state, chips }: { state: ListState; chips: readonly Chip[] }) {
  const { t } = useTranslation();
  if (chips.length === 0) return null;
  return (
    <ul className="sk-chips" aria-label={t('filter.applied')}>
      {chips.map((chip) => (
        <li key={chip.name}>
          <Label
            variant="outline"
            isCompact
            onClose={() => state.clear([chip.name, ...(chip.also ?? [])])}
            closeBtnAriaLabel={t('filter.remove', { name: chip.label })}
          >
            <span className="sk-muted">{chip.label}</span> {chip.value}
          </Label>
        </li>
      ))}
      {chips.length > 1 && (
        <li>
          <Button variant="link" size="sm" isInline onClick={() => state.clear(chips.flatMap((chip) => [chip.name, ...(chip.also ?? [])]))}>
            {t('filter.clear')}
          </Button>
        </li>
      )}
    </ul>
  );
}
