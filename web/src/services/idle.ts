// SPDX-License-Identifier: Apache-2.0
// Ends the session after a time without keyboard or pointer, in whichever tab. The server's own idle limit stands behind it.
import { readPref, writePref } from './prefs';

export const IDLE_LIMIT_MS = 8 * 60 * 60 * 1000; // the service's default for session_idle
export const IDLE_WARNING_MS = 2 * 60 * 1000;
const WRITE_EVERY_MS = 10_000;
const ACTIVITY = 'activity';

let own = Date.now();

export function touch(): void {
  const now = Date.now();
  if (now - own >= WRITE_EVERY_MS || readPref(ACTIVITY) === null) writePref(ACTIVITY, String(now));
  own = now;
}

export function idleEndsAt(): number {
  return Math.max(own, Number(readPref(ACTIVITY) ?? 0)) + IDLE_LIMIT_MS;
}

/** Listens for activity; returns how to stop. */
export function watchActivity(): () => void {
  own = Date.now();
  writePref(ACTIVITY, String(own));
  const events = ['pointerdown', 'keydown', 'wheel'] as const;
  for (const event of events) window.addEventListener(event, touch, { passive: true });
  return () => {
    for (const event of events) window.removeEventListener(event, touch);
  };
}
