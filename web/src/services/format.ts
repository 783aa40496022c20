// SPDX-License-Identifier: Apache-2.0
// Numbers, sizes and times as the viewer's language writes them. Times are shown in the tenant's time zone.
import type { Language } from '@/api/types';

const kept = new Map<string, unknown>();

/** Making an Intl object takes a hundred times longer than using it, and each row of a list uses several. */
function keep<T>(key: string, make: () => T): T {
  if (!kept.has(key)) kept.set(key, make());
  return kept.get(key) as T;
}

const UNITS = ['B', 'KB', 'MB', 'GB', 'TB', 'PB'];

export function formatBytes(bytes: number, language: Language): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || value >= 100 ? 0 : 1;
  const numbers = keep(`bytes ${language} ${digits}`, () => new Intl.NumberFormat(language, { maximumFractionDigits: digits }));
  return `${numbers.format(value)} ${UNITS[unit]}`;
}

export function formatNumber(value: number, language: Language): string {
  return keep(`number ${language}`, () => new Intl.NumberFormat(language)).format(value);
}

export function formatTime(iso: string | number, language: Language, timeZone: string | undefined, seconds = false): string {
  const times = keep(`time ${language} ${timeZone} ${seconds}`, () => {
    const options: Intl.DateTimeFormatOptions = {
      year: 'numeric',
      month: language === 'ja' ? '2-digit' : 'short',
      day: '2-digit',
      hour: '2-digit',
      minute: '2-digit',
      hourCycle: 'h23',
      timeZone: knownZone(timeZone),
    };
    if (seconds) options.second = '2-digit';
    return new Intl.DateTimeFormat(language === 'en' ? 'en-GB' : language, options);
  });
  return times.format(new Date(iso));
}

export function formatDay(day: string, language: Language): string {
  const days = keep(`day ${language}`, () => new Intl.DateTimeFormat(language === 'en' ? 'en-GB' : language, { month: 'short', day: 'numeric', timeZone: 'UTC' }));
  return days.format(new Date(`${day}T00:00:00Z`));
}

const STEPS: [Intl.RelativeTimeFormatUnit, number][] = [
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
  ['second', 1],
];

export function formatAgo(iso: string, now: number, language: Language): string {
  const seconds = Math.round((Date.parse(iso) - now) / 1000);
  const [unit, size] = STEPS.find(([, length]) => Math.abs(seconds) >= length) ?? ['second', 1];
  return keep(`ago ${language}`, () => new Intl.RelativeTimeFormat(language, { numeric: 'auto' })).format(Math.trunc(seconds / size), unit);
}

/** 1:05:09 or 5:09 */
export function formatCountdown(ms: number): string {
  const total = Math.max(0, Math.ceil(ms / 1000));
  const [hours, minutes, seconds] = [Math.floor(total / 3600), Math.floor((total % 3600) / 60), total % 60];
  const tail = `${String(minutes).padStart(hours > 0 ? 2 : 1, '0')}:${String(seconds).padStart(2, '0')}`;
  return hours > 0 ? `${hours}:${tail}` : tail;
}

/** A browser may not know a zone that the server knows; then the viewer's own zone is used. */
function knownZone(timeZone: string | undefined): string | undefined {
  return keep(`zone ${timeZone}`, () => {
    if (!timeZone) return undefined;
    try {
      new Intl.DateTimeFormat('en', { timeZone });
      return timeZone;
    } catch {
      return undefined;
    }
  });
}

/** The instant at which a calendar day begins in a time zone. */
export function startOfDay(day: string, timeZone: string | undefined): Date {
  const utc = Date.parse(`${day}T00:00:00Z`);
  const zone = knownZone(timeZone);
  // Twice, because the offset at the guess may differ from the offset at the answer (change of summer time).
  let guess = utc - zoneOffset(utc, zone);
  guess = utc - zoneOffset(guess, zone);
  return new Date(guess);
}

export function dayAfter(day: string): string {
  return new Date(Date.parse(`${day}T00:00:00Z`) + 86_400_000).toISOString().slice(0, 10);
}

export function dayOf(time: number, timeZone: string | undefined): string {
  return new Date(time + zoneOffset(time, knownZone(timeZone))).toISOString().slice(0, 10);
}

function zoneOffset(time: number, timeZone: string | undefined): number {
  const clock = keep(`offset ${timeZone}`, () =>
    new Intl.DateTimeFormat('en-US', {
      timeZone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    }),
  );
  const parts = clock.formatToParts(time);
  const get = (type: Intl.DateTimeFormatPartTypes) => Number(parts.find((part) => part.type === type)?.value);
  const wall = Date.UTC(get('year'), get('month') - 1, get('day'), get('hour'), get('minute'), get('second'));
  return wall - Math.floor(time / 1000) * 1000;
}
