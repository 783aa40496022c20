// SPDX-License-Identifier: Apache-2.0
// Languages: each is one lazy chunk of src/locales/<language>/*.json. Switching needs no reload.
import i18next, { type i18n } from 'i18next';
import { initReactI18next } from 'react-i18next';
import type { Language } from '@/api/types';
import { readPref, writePref } from './prefs';

export const LANGUAGES = ['ja', 'en'] as const satisfies readonly Language[];

const LOADERS: Record<Language, () => Promise<Record<string, object>>> = {
  ja: () => import('@/locales/ja').then((module) => module.default),
  en: () => import('@/locales/en').then((module) => module.default),
};

function isLanguage(value: string | null | undefined): value is Language {
  return value === 'ja' || value === 'en';
}

export function language(): Language {
  return isLanguage(i18next.language) ? i18next.language : preferredLanguage();
}

/** Whether the person chose a language in this browser; until then the account's language decides. */
export function languageChosen(): boolean {
  return isLanguage(readPref('language'));
}

function preferredLanguage(): Language {
  const stored = readPref('language');
  if (isLanguage(stored)) return stored;
  const wanted = typeof navigator === 'undefined' ? [] : navigator.languages;
  for (const tag of wanted) {
    const base = tag.slice(0, 2);
    if (isLanguage(base)) return base;
  }
  return 'en';
}

async function load(next: Language): Promise<void> {
  if (i18next.hasResourceBundle(next, 'common')) return;
  const namespaces = await LOADERS[next]();
  for (const [namespace, texts] of Object.entries(namespaces)) i18next.addResourceBundle(next, namespace, texts);
}

export async function startI18n(): Promise<i18n> {
  const first = preferredLanguage();
  await i18next.use(initReactI18next).init({
    lng: first,
    resources: {},
    fallbackLng: false,
    defaultNS: 'common',
    interpolation: { escapeValue: false }, // React escapes
    react: { bindI18nStore: 'added' },
    returnNull: false,
    showSupportNotice: false, // the library would advertise in every user's console
  });
  await load(first);
  document.documentElement.lang = first;
  return i18next;
}

export async function switchLanguage(next: Language, options: { remember: boolean }): Promise<void> {
  await load(next);
  if (options.remember) writePref('language', next);
  await i18next.changeLanguage(next);
  document.documentElement.lang = next;
}
