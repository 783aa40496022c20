// SPDX-License-Identifier: Apache-2.0
// Small rules of codes that people type or read aloud.

/** Spaces within a six-digit code are how apps show it; a recovery code only loses those around it. */
export function cleanCode(typed: string): string {
  const close = typed.normalize('NFKC').replace(/\s+/g, ''); // full-width digits of Japanese keyboards, too
  return /^\d+$/.test(close) ? close : typed.normalize('NFKC').trim();
}

/** ABCD EFGH …: easier to type from one screen into another. */
export function inFours(secret: string): string {
  return secret.replace(/(.{4})(?=.)/g, '$1 ');
}
