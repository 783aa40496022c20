// SPDX-License-Identifier: Apache-2.0
// Light, dark, or as the system says. One class on <html> switches every token.
import { readPref, writePref } from './prefs';
import { createStore } from './store';

export const THEMES = ['system', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

const DARK_CLASS = 'pf-v6-theme-dark';

function stored(): Theme {
  const value = readPref('theme');
  return THEMES.find((theme) => theme === value) ?? 'system';
}

export const themeStore = createStore<Theme>('system');

function apply(): void {
  const theme = themeStore.get();
  const dark = theme === 'dark' || (theme === 'system' && matchMedia('(prefers-color-scheme: dark)').matches);
  const root = document.documentElement;
  root.classList.toggle(DARK_CLASS, dark);
  root.style.colorScheme = dark ? 'dark' : 'light';
}

export function startTheme(): void {
  themeStore.set(stored());
  apply();
  themeStore.subscribe(apply);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', apply);
}

export function chooseTheme(theme: Theme): void {
  writePref('theme', theme === 'system' ? null : theme);
  themeStore.set(theme);
}
