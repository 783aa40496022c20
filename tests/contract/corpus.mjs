// SPDX-License-Identifier: Apache-2.0
// Bodies, good and bad, of every schema of both contracts; ajv and the C decoders must give the same verdict on each, the C
// decoder must name a field at which ajv sees an error of the same sort, and what C encodes must please ajv.
// node corpus.mjs <contract_decode> [seed]
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import Ajv from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import YAML from 'yaml';

const root = new URL('../../', import.meta.url);
const read = (path) => YAML.parse(readFileSync(new URL(path, root), 'utf8'), { version: '1.2' });
const [, , program, seedText = '1'] = process.argv;
const TEXT = '^[^\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f]*$';

// ---- random, from a seed
let state = Number(seedText) >>> 0 || 1;
const random = (n) => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 4294967296) * n);
};
const pick = (list) => list[random(list.length)];

// ---- the contracts as JSON Schemas
function strict(schema) {
  if (Array.isArray(schema)) return schema.map(strict);
  if (!schema || typeof schema !== 'object') return schema;
  const out = Object.fromEntries(
    Object.entries(schema).map(([k, v]) => [k, ['enum', 'required', 'default'].includes(k) ? v : k === 'properties' ? mapValues(v, strict) : strict(v)]),
  );
  if (out.type === 'object') out.additionalProperties = false;
  if (out.type === 'string' && !out.enum && !out.format) out.pattern = TEXT;
  return out;
}
const mapValues = (o, f) => Object.fromEntries(Object.entries(o).map(([k, v]) => [k, f(v)]));

function wireField(contract, d) {
  const array = d.type.endsWith('[]');
  const type = array ? d.type.slice(0, -2) : d.type;
  const max = array ? d.item_max : d.max;
  let s;
  if (contract.enums[type]) s = { type: 'string' };
  else if (contract.messages[type]) s = { $ref: `#/components/schemas/${type}` };
  else if (type === 'string') s = { type: 'string', minLength: array ? 0 : (d.min ?? 0), maxLength: max, pattern: TEXT };
  else if (type === 'uuid') s = { type: 'string', format: 'uuid' };
  else if (type === 'time') s = { type: 'string', format: 'date-time' };
  else if (type === 'int') s = { type: 'integer', minimum: d.min, maximum: d.max };
  else if (type === 'bool') s = { type: 'boolean' };
  else if (type === 'json') s = { 'x-bytes': max };
  else throw new Error(`type ${type}`);
  return array ? { type: 'array', minItems: d.min_items ?? 0, maxItems: d.max, items: s } : s;
}
function wireSchemas(contract) {
  return mapValues(contract.messages, (fields) => ({
    type: 'object',
    properties: mapValues(fields, (d) => wireField(contract, d)),
    required: Object.keys(fields).filter((f) => fields[f].required),
  }));
}

const storable = (v) => {
  if (!/^\d{4}-\d\d-\d\dT.*(Z|[+-]\d\d:\d\d)$/i.test(v)) return false;
  const at = Date.parse(v.toUpperCase().replace(/:60(?=[.Z+-])/, ':59'));
  return at >= 0 && at < Date.parse('+010000-01-01T00:00:00Z') && v.slice(0, 4) >= '1970';
};
const api = read('src/handler/openapi.yaml').components.schemas;
const contracts = { api: mapValues(api, strict), wire: wireSchemas(read('src/wire/agent.yaml')) };
const validators = mapValues(contracts, (schemas) => {
  const ajv = new Ajv({ allErrors: true, strict: false, unicodeRegExp: true });
  addFormats(ajv, { mode: 'full' });
  // Narrower on purpose than ajv: the grammar of RFC 3339 alone (T, offset with a colon), times we can store (1970 to 9999
  // in UTC), ids without urn:uuid:.
  const full = ajv.formats['date-time'].validate ?? ajv.formats['date-time'];
  ajv.addFormat('date-time', (v) => full(v) && storable(v));
  ajv.addFormat('uuid', /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i);
  ajv.addKeyword({ keyword: 'x-bytes', validate: (max, v) => Buffer.byteLength(JSON.stringify(v)) <= max });
  ajv.addSchema({ $id: 'c', components: { schemas } });
  return Object.fromEntries(Object.keys(schemas).map((n) => [n, ajv.compile({ $ref: `c#/components/schemas/${n}` })]));
});

// ---- values
const resolve = (schemas, s) => (s.$ref ? schemas[s.$ref.split('/').pop()] : s);
const characters = ['a', 'Z', '0', ' ', '"', '\\', '/', '\t', '\n', 'é', '関', '😀', '\u2028'];
const text = (n) => Array.from({ length: n }, () => pick(characters)).join('');
const uuid = () => '018f3c4e-7d2a-7abc-8def-' + String(random(1e9)).padStart(12, '0');
const between = (min, max) => pick([min, max, min + random(Math.min(max - min, 1000) + 1)]);

function good(schemas, schema, full) {
  const s = resolve(schemas, schema);
  if (s.enum) return pick(s.enum);
  switch (s.type) {
    case 'object':
      return Object.fromEntries(
        Object.entries(s.properties ?? {})
          .filter(([k]) => (s.required ?? []).includes(k) || full === true || (full === undefined && random(2)))
          .map(([k, v]) => [k, good(schemas, v, full)]),
      );
    case 'array': {
      const n = Math.max(s.minItems ?? 0, full === true ? 1 : random(Math.min(s.maxItems, 3) + 1));
      return Array.from({ length: n }, () => good(schemas, s.items, full));
    }
    case 'string':
      if (s.format === 'uuid') return uuid();
      if (s.format === 'date-time') return pick(['2026-11-24T10:00:00Z', '1970-01-01T00:00:00.000001Z', '2024-02-29T23:59:59.5+09:00', '9999-12-31T23:59:59Z']);
      return text(between(s.minLength ?? 0, Math.min(s.maxLength ?? 20, 50)));
    case 'integer':
      return between(s.minimum, s.maximum);
    case 'number':
      return 0.5;
    case 'boolean':
      return !!random(2);
    default:
      return pick([{}, { a: [1, 'é', null] }, 'text', 7]);
  }
}

// Raw JSON that JavaScript would write otherwise: [RAW]5.0[/RAW] stands without quotes.
const raw = (t) => `[RAW]${t}[/RAW]`;
const write = (v) => JSON.stringify(v).replace(/"\[RAW\](.*?)\[\/RAW\]"/g, '$1');

// Other values for one place of a schema, most of them wrong.
function others(schemas, schema) {
  const s = resolve(schemas, schema);
  const out = [null, 0, -1, 1.5, raw('5.0'), raw('1e0'), raw('1e400'), '', 'text', true, [], {}, [null], { x: 1 }, 9007199254740991, raw('9007199254740993')];
  if (s.enum) out.push(s.enum[0] + ' ', s.enum[0].toUpperCase());
  else if (s.format === 'uuid') out.push(uuid().toUpperCase(), uuid() + '0', '{' + uuid() + '}', 'urn:uuid:' + uuid(), uuid().replaceAll('-', ''));
  else if (s.format === 'date-time')
    out.push('2026-02-30T00:00:00Z', '2026-11-24', '2026-11-24T10:00:00', '2026-11-24T24:00:00Z', '2026-11-24T10:00:00+24:00', '2026-11-24T10:60:00Z', '2026-11-24T10:00:00.Z',
      '2023-02-29T00:00:00Z', '0000-01-01T00:00:00Z', '2026-11-24T10:00:00.123456789Z', '2026-13-01T00:00:00Z', '+2026-11-24T10:00:00Z',
      '2026-11-24t10:00:00z', '2016-12-31T23:59:60Z', '2016-12-31T23:59:61Z', '1970-01-01T00:00:00+09:00', '9999-12-31T23:59:59-01:00', '2026-11-24 10:00:00Z', '2026-11-24T10:00:00+0900');
  else if (s.type === 'string') {
    out.push('a\u0001', '\u0000', '\u001f', '\u007f');
    if (s.maxLength <= 10000) out.push(text(s.maxLength), text(s.maxLength + 1), '関'.repeat(s.maxLength), '😀'.repeat(s.maxLength + 1));
    if (s.minLength) out.push(text(s.minLength), text(s.minLength - 1));
  } else if (s.type === 'integer') out.push(s.minimum, s.maximum, s.minimum - 1, s.maximum + 1, String(s.minimum), s.minimum + 0.5);
  else if (s.type === 'array') {
    const n = (k) => Array.from({ length: k }, () => good(schemas, s.items, false));
    if (s.maxItems <= 1000) out.push(n(s.maxItems), n(s.maxItems + 1));
    if (s.minItems) out.push(n(s.minItems - 1));
  } else if (s['x-bytes'] && s['x-bytes'] < 40000) out.push('a'.repeat(s['x-bytes'] - 2), 'a'.repeat(s['x-bytes'] - 1));
  return out;
}

// Every place of a value: [schema of it, setter that gives a copy of the whole with another value there, deleter].
function* places(schemas, schema, value, rebuild) {
  const s = resolve(schemas, schema);
  yield { schema, rebuild };
  if (s.type === 'object' && value && typeof value === 'object') {
    yield { extra: true, rebuild: (v) => rebuild({ ...value, not_known: v }) };
    for (const k of Object.keys(value)) {
      if (!s.properties?.[k]) continue;
      const { [k]: _, ...rest } = value;
      yield { without: rebuild(rest) };
      yield* places(schemas, s.properties[k], value[k], (v) => rebuild({ ...value, [k]: v }));
    }
  } else if (s.type === 'array' && Array.isArray(value) && value.length) {
    yield* places(schemas, s.items, value[0], (v) => rebuild([v, ...value.slice(1)]));
  }
}

function* bodies(schemas, schema) {
  yield good(schemas, schema, false);
  yield good(schemas, schema, true);
  for (let i = 0; i < 30; i++) yield good(schemas, schema);
  const whole = good(schemas, schema, true);
  for (const p of places(schemas, schema, whole, (v) => v)) {
    if ('without' in p) yield p.without;
    else if (p.extra) yield p.rebuild(pick([1, null, 'x', {}]));
    else for (const v of others(schemas, p.schema)) yield p.rebuild(v);
  }
}

// ---- verdicts
const CODES = {
  type: 'field_type', required: 'field_missing', additionalProperties: 'field_unknown', enum: 'field_value', format: 'field_format', pattern: 'field_format',
  minLength: 'field_length', maxLength: 'field_length', minItems: 'field_length', maxItems: 'field_length', 'x-bytes': 'field_length',
  minimum: 'field_range', maximum: 'field_range',
};
function errorOf(e) {
  const parts = e.instancePath.split('/').slice(1);
  if (e.params.missingProperty) parts.push(e.params.missingProperty);
  if (e.params.additionalProperty) parts.push(e.params.additionalProperty);
  const path = parts.map((p) => (/^\d+$/.test(p) ? `[${p}]` : `.${p}`)).join('').replace(/^\./, '');
  return `${CODES[e.keyword]} ${path}`;
}

const cases = [];
for (const [kind, schemas] of Object.entries(contracts))
  for (const name of Object.keys(schemas)) {
    if (kind === 'api' && (name === 'Problem' || schemas[name].enum)) continue;
    for (const body of bodies(schemas, schemas[name])) cases.push({ kind, name, text: write(body) });
  }

const run = spawnSync(program, { input: cases.map((c) => `${c.kind} ${c.name} ${c.text}\n`).join(''), maxBuffer: 1 << 30, encoding: 'utf8' });
if (run.status !== 0) throw new Error(`${program}: ${run.stderr}`);
const lines = run.stdout.split('\n');
let wrong = 0;
let valid = 0;
const complain = (c, what) => {
  if (++wrong <= 20) console.error(`${c.kind} ${c.name}: ${what}\n  ${c.text.slice(0, 400)}`);
};
cases.forEach((c, i) => {
  const validate = validators[c.kind][c.name];
  // What the reader refuses before any schema is asked: NUL, and numbers that JavaScript would not keep.
  const readable = !/\\u0000|1e400|9007199254740993/.test(c.text);
  const ok = validate(JSON.parse(c.text)) && readable;
  const errors = (validate.errors ?? []).map(errorOf);
  const line = lines[i] ?? '';
  if (ok) valid++;
  if (line.startsWith('ok ') !== ok) complain(c, `ajv says ${ok ? 'good' : errors.join(', ')}; C says ${line.slice(0, 200)}`);
  else if (!ok && !line.startsWith('json_malformed') && !errors.includes(line)) complain(c, `ajv finds ${errors.join(', ')}; C finds ${line}`);
  else if (ok && !validate(JSON.parse(line.slice(3)))) complain(c, `what C encodes is wrong: ${validate.errors.map(errorOf).join(', ')}: ${line.slice(0, 300)}`);
});
console.log(`${cases.length} bodies of both contracts, ${valid} good; ${wrong} verdicts differ`);
process.exit(wrong ? 1 : 0);
