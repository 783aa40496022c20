// SPDX-License-Identifier: Apache-2.0
// Small, harmless preferences of this browser (language, theme, page size, folded menu). Never tokens.
const PREFIX = 'sekisho.';

export function readPref(name: string): string | null {
  try {
    return localStorage.getItem(PREFIX + name);
  } catch {
    return null; // storage may be forbidden; every preference has a default
  }
}

export function writePref(name: string, value: string | null): void {
  try {
    if (value === null) localStorage.removeItem(PREFIX + name);
    else localStorage.setItem(PREFIX + name, value);
  } catch {
    // as above
  }
}
