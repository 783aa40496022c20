// SPDX-License-Identifier: Apache-2.0
// Every text exists in both languages with the same arguments, every key that the code names exists, none is left over,
// and no text stands in the code itself.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { AUDIT_ACTIONS } from '@/services/audit';
import en from './en';
import ja from './ja';

const SOURCE = join(process.cwd(), 'src');
const PLURAL = /_(one|other)$/;

function flatten(tree: object, prefix = ''): Map<string, string> {
  const flat = new Map<string, string>();
  for (const [key, value] of Object.entries(tree)) {
    const path = prefix ? `${prefix}.${key}` : key;
    if (typeof value === 'string') flat.set(path, value);
    else for (const [inner, text] of flatten(value as object, path)) flat.set(inner, text);
  }
  return flat;
}

function texts(bundle: Record<string, object>): Map<string, string> {
  const all = new Map<string, string>();
  for (const [namespace, tree] of Object.entries(bundle)) for (const [key, text] of flatten(tree)) all.set(`${namespace}:${key}`, text);
  return all;
}

const english = texts(en);
const japanese = texts(ja);
const keysOf = (map: Map<string, string>) => [...new Set([...map.keys()].map((key) => key.replace(PLURAL, '')))].sort();
const argumentsOf = (text: string) => [...text.matchAll(/{{(\w+)/g)].map((match) => match[1]).sort();

const files = readdirSync(SOURCE, { recursive: true, encoding: 'utf8' })
  .filter((name) => /\.tsx?$/.test(name) && !/\.test\./.test(name) && name !== join('api', 'schema.ts'))
  .map((name) => ({ name, text: readFileSync(join(SOURCE, name), 'utf8') }));

describe('texts', () => {
  it('have the same keys in both languages', () => {
    expect(keysOf(japanese)).toEqual(keysOf(english));
  });

  it('have both plural forms in English and one in Japanese', () => {
    for (const key of english.keys()) if (key.endsWith('_one')) expect(english.has(key.replace(/_one$/, '_other')), key).toBe(true);
    for (const key of japanese.keys()) expect(key.endsWith('_one'), key).toBe(false);
  });

  it('use no arguments that the other language does not have', () => {
    for (const [key, text] of japanese) {
      const known = new Set([...argumentsOf(english.get(key) ?? ''), ...argumentsOf(english.get(key.replace('_other', '_one')) ?? ''), 'count', 'number']);
      for (const argument of argumentsOf(text)) expect(known.has(argument ?? ''), `${key}: ${argument}`).toBe(true);
    }
  });

  it('are never empty and never left untranslated', () => {
    const same = new Set(['product', 'sha256', 'hash', 'resolvedByAt', 'usesOf', 'allowed', 'many', 'of', 'freeOf', 'mbps', 'range', 'os', 'periodValue', 'right', 'separator', 'listSeparator']);
    for (const [key, text] of japanese) {
      expect(text.trim(), key).not.toBe('');
      const last = key.replace(PLURAL, '').split(/[.:]/).at(-1) ?? '';
      if (same.has(last) || key.includes('enum.os.') || key.includes('common:language.')) continue;
      expect(/[\u3040-\u30ff\u4e00-\u9fff]/.test(text), `${key}: ${text}`).toBe(true);
    }
  });
});

interface Use {
  key: string;
  /** A template with values inside: only its beginning is known. */
  open: boolean;
}

function usesOf(file: { name: string; text: string }): Use[] {
  const tree = ts.createSourceFile(file.name, file.text, ts.ScriptTarget.ES2022, true, ts.ScriptKind.TSX);
  const uses: Use[] = [];
  const collect = (node: ts.Expression) => {
    if (ts.isStringLiteralLike(node)) uses.push({ key: node.text, open: false });
    else if (ts.isTemplateExpression(node)) uses.push({ key: node.head.text, open: true });
    else if (ts.isConditionalExpression(node)) [node.whenTrue, node.whenFalse].forEach(collect);
  };
  const walk = (node: ts.Node) => {
    if (ts.isCallExpression(node) && ts.isIdentifier(node.expression) && node.expression.text === 't' && node.arguments[0]) collect(node.arguments[0]);
    ts.forEachChild(node, walk);
  };
  walk(tree);
  return uses;
}

/** Namespaces in which a file's keys without a prefix may stand. */
function namespacesOf(text: string): string[] {
  const named = [...text.matchAll(/useTranslation\('(\w+)'/g)].map((match) => match[1] ?? '');
  return [...named, 'common'];
}

const CODES = {
  problem: 'protection_off prevention_off engine_missing modules_outdated restart_required disk_low clock_skew records_lost',
  result:
    'scan_done scan_cancelled engine_unavailable target_missing modules_updated modules_current module_update_failed message_shown ' +
    'no_session isolated isolation_ended isolation_failed unsupported expired refused_by_agent interrupted modules_older ' +
    'modules_signature_invalid modules_manifest_invalid modules_damaged modules_rejected modules_not_written modules_unreachable ' +
    'no_modules no_module_key module_key_changed address_unknown busy cancelled',
  group: 'all lost_and_found',
  permission_set: 'administrator reviewer operator branch_administrator installer auditor',
};

describe('message codes', () => {
  it('of the server and the agent have texts', () => {
    for (const [family, codes] of Object.entries(CODES)) {
      for (const code of codes.split(' ')) expect(keysOf(english), code).toContain(`codes:${family}.${code}`);
    }
  });
});

describe('the contract', () => {
  const contract = readFileSync(join(process.cwd(), '..', 'src', 'handler', 'openapi.yaml'), 'utf8');
  const named = (pattern: RegExp) => [...new Set([...contract.matchAll(pattern)].map((match) => match[1] ?? ''))].filter((name) => name !== 'none');

  it('names no action of the audit and no part of a plan without a text', () => {
    for (const action of named(/^ {6}x-audit: (\S+)$/gm)) expect(keysOf(english), action).toContain(`audit:action.${action}`);
    for (const part of named(/^ {6}x-entitlement: (\w+)$/gm)) expect(keysOf(english), part).toContain(`access:entitlement.${part}`);
  });

  it('offers every action as a filter, under its kind of object', () => {
    for (const action of named(/^ {6}x-audit: (\S+)$/gm)) expect(AUDIT_ACTIONS[action.split('.')[0] ?? ''], action).toContain(action);
  });
});

describe('code', () => {
  const known = keysOf(english);

  it('names only keys that exist', () => {
    for (const file of files) {
      for (const { key, open } of usesOf(file)) {
        const full = key.includes(':') ? [key] : namespacesOf(file.text).map((namespace) => `${namespace}:${key}`);
        const found = full.some((candidate) => (open ? known.some((one) => one.startsWith(candidate)) : known.includes(candidate)));
        expect(found, `${file.name}: ${key}`).toBe(true);
      }
    }
  });

  it('leaves no key unused', () => {
    const closed = new Set<string>();
    const open: string[] = [];
    for (const file of files) {
      const named = [...usesOf(file), ...[...file.text.matchAll(/'((?:menu|figure|group)\.[\w.]+)'/g)].map((match) => ({ key: match[1] ?? '', open: false }))];
      for (const { key, open: partly } of named) {
        for (const full of key.includes(':') ? [key] : namespacesOf(file.text).map((namespace) => `${namespace}:${key}`)) {
          if (partly) open.push(full);
          else closed.add(full);
        }
      }
    }
    // Families whose members are chosen by codes of the server.
    const starts = [...open.filter((start) => !start.endsWith(':')), 'codes:', 'common:failure.', 'devices:problems.advice.', 'audit:action.', 'audit:domain.', 'audit:field.', 'audit:refused.'];
    const unused = known.filter((key) => !closed.has(key) && !starts.some((start) => key.startsWith(start)));
    expect(unused).toEqual([]);
  });

  it('has no text of its own', () => {
    const spoken = new Set(['aria-label', 'title', 'alt', 'placeholder', 'label', 'titleText', 'description']);
    const found: string[] = [];
    for (const file of files.filter(({ name }) => name.endsWith('.tsx'))) {
      const tree = ts.createSourceFile(file.name, file.text, ts.ScriptTarget.ES2022, true, ts.ScriptKind.TSX);
      const walk = (node: ts.Node) => {
        if (ts.isJsxText(node) && /\p{L}/u.test(node.text)) found.push(`${file.name}: ${node.text.trim()}`);
        if (ts.isJsxAttribute(node) && spoken.has(node.name.getText()) && node.initializer && ts.isStringLiteral(node.initializer) && /\p{L}/u.test(node.initializer.text)) {
          found.push(`${file.name}: ${node.getText()}`);
        }
        ts.forEachChild(node, walk);
      };
      walk(tree);
    }
    expect(found).toEqual([]);
  });
});
