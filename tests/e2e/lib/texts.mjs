// SPDX-License-Identifier: Apache-2.0
// The console's own texts, so that tests name controls as a person reads them in either language.
import { readFileSync } from 'node:fs';

const LOCALES = new URL('../../../web/src/locales/', import.meta.url);

/** say('detections:title'), say('move.title', {count: 2}); a text that does not exist is a mistake of the test. */
export function texts(language) {
  const files = new Map();
  const numbers = new Intl.NumberFormat(language);
  const read = (name) => {
    if (!files.has(name)) files.set(name, JSON.parse(readFileSync(new URL(`${language}/${name}.json`, LOCALES), 'utf8')));
    return files.get(name);
  };
  return (key, values = {}) => {
    const [name, path] = key.includes(':') ? key.split(':') : ['common', key];
    const find = (wanted) => wanted.split('.').reduce((at, part) => at?.[part], read(name));
    const plural = language === 'en' && values.count === 1 ? 'one' : 'other';
    const text = find(path) ?? find(`${path}_${plural}`);
    if (typeof text !== 'string') throw new Error(`no text ${language}/${key}`);
    return text.replace(/\{\{(\w+)[^}]*\}\}/g, (_whole, argument) => {
      const value = values[argument] ?? '';
      return typeof value === 'number' ? numbers.format(value) : value;
    });
  };
}
