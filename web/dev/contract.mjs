// SPDX-License-Identifier: Apache-2.0
// What the development server takes from the product's own sources: rights of each route, and texts of refusals.
import { readFileSync } from 'node:fs';

const read = (path) => readFileSync(new URL(`../../src/${path}`, import.meta.url), 'utf8');

/** [{ method, pattern, permission, entitlement }] of every route in the contract. */
export function contractRoutes() {
  const routes = [];
  let path = '';
  for (const line of read('handler/openapi.yaml').split('\n')) {
    if (/^components:/.test(line)) break;
    path = /^ {2}(\/api\S+):$/.exec(line)?.[1] ?? path;
    const method = /^ {4}(get|post|put|patch|delete):$/.exec(line)?.[1];
    if (method) routes.push({ method: method.toUpperCase(), pattern: new RegExp(`^${path.replace(/\{\w+\}/g, '[^/]+')}$`) });
    const [, name, value] = /^ {6}x-(permission|entitlement): (\S+)$/.exec(line) ?? [];
    if (name) routes.at(-1)[name] = value;
  }
  return routes;
}

/** code -> [status, English, Japanese] */
export function problemTexts() {
  const texts = {};
  for (const line of read('call/problems.yaml').split('\n')) {
    const [, code, status, en, ja] = /^(\w+): +\{ status: (\d+), en: "(.*)", ja: "(.*)" \}/.exec(line) ?? [];
    if (code) texts[code] = [Number(status), en, ja];
  }
  return texts;
}
