// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import { dayOf, formatAgo, formatBytes, formatCountdown, formatTime, startOfDay } from './format';

describe('format', () => {
  it('writes sizes', () => {
    expect(formatBytes(68, 'en')).toBe('68 B');
    expect(formatBytes(1536, 'en')).toBe('1.5 KB');
    expect(formatBytes(512 * 1024 ** 3, 'ja')).toBe('512 GB');
  });

  it('writes times in the time zone of the tenant', () => {
    expect(formatTime('2026-11-24T15:30:00Z', 'ja', 'Asia/Tokyo')).toBe('2026/11/25 00:30');
    expect(formatTime('2026-11-24T15:30:00Z', 'en', 'Asia/Tokyo')).toBe('25 Nov 2026, 00:30');
  });

  it('does without a time zone that the browser does not know', () => {
    expect(() => formatTime('2026-11-24T15:30:00Z', 'en', 'Moon/Tycho')).not.toThrow();
  });

  it('writes how long ago', () => {
    const now = Date.parse('2026-11-24T12:00:00Z');
    expect(formatAgo('2026-11-24T11:58:30Z', now, 'en')).toBe('1 minute ago');
    expect(formatAgo('2026-11-22T12:00:00Z', now, 'ja')).toBe('一昨日');
  });

  it('counts down', () => {
    expect(formatCountdown(65_000)).toBe('1:05');
    expect(formatCountdown(3_909_000)).toBe('1:05:09');
    expect(formatCountdown(-5)).toBe('0:00');
  });

  it('finds the beginning of a day, also when summer time begins in it', () => {
    expect(startOfDay('2026-11-25', 'Asia/Tokyo').toISOString()).toBe('2026-11-24T15:00:00.000Z');
    expect(startOfDay('2026-03-29', 'Europe/Berlin').toISOString()).toBe('2026-03-28T23:00:00.000Z');
    expect(startOfDay('2026-03-30', 'Europe/Berlin').toISOString()).toBe('2026-03-29T22:00:00.000Z');
  });

  it('tells the day of an instant', () => {
    expect(dayOf(Date.parse('2026-11-24T15:00:00Z'), 'Asia/Tokyo')).toBe('2026-11-25');
    expect(dayOf(Date.parse('2026-11-24T14:59:59Z'), 'Asia/Tokyo')).toBe('2026-11-24');
  });
});
