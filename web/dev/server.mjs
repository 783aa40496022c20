// SPDX-License-Identifier: Apache-2.0
// Development server: answers the contract from sample data and serves dist with the strict policy of production.
// For screenshots and for work on screens only; never shipped. SEKISHO_FAKE_PORT, default 8444.
import { createReadStream, existsSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { addAccess, holds, newPassword, newSecret, permissionsOf, record, setView, signed, totp, userView } from './access.mjs';
import { contractRoutes, problemTexts } from './contract.mjs';
import { deviceDetail, finish, makeDetection, makeTask, makeTenant, recount, randomness, software } from './data.mjs';

const PORT = Number(process.env.SEKISHO_FAKE_PORT ?? 8444);
const DIST = fileURLToPath(new URL('../dist', import.meta.url));
const TOKEN_LIFE = Number(process.env.SEKISHO_FAKE_TOKEN_LIFE ?? 600);
const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.woff2': 'font/woff2' };
const SECURITY = { 'Content-Security-Policy': "default-src 'self'; frame-ancestors 'none'; base-uri 'self'; form-action 'self'", 'X-Content-Type-Options': 'nosniff', 'Referrer-Policy': 'same-origin' };

const tenants = { acme: makeTenant('acme', 'Acme Industries', 'enterprise', 250, 7), kaede: makeTenant('kaede', '楓商事株式会社', 'lite', 200, 11) };
const ids = randomness(Date.now());
const sessions = new Map(); // refresh cookie -> { id, tenant, user, language, token, mustChange }
const tokens = new Map(); // access token -> session
const streams = new Set();
const failures = new Map();

const TEXTS = problemTexts();
const RULES = contractRoutes();
Object.values(tenants).forEach(addAccess);

class Refusal extends Error {
  constructor(code, extra = {}, headers = {}) {
    super(code);
    Object.assign(this, { code, extra, headers });
  }
}

function page(items, query, total = true) {
  const limit = Number(query.get('limit') ?? 50);
  const cursor = query.get('cursor');
  const start = cursor ? Number(Buffer.from(cursor, 'base64url').toString()) : 0;
  if (Number.isNaN(start)) throw new Refusal('cursor_invalid', { field: 'cursor' });
  const rows = items.slice(start, start + limit);
  const answer = { items: rows };
  if (total) answer.total = items.length;
  if (start + limit < items.length) answer.next_cursor = Buffer.from(String(start + limit)).toString('base64url');
  return answer;
}

function sorted(items, query, fallback, fallbackDirection, orders = {}) {
  const key = query.get('sort') ?? fallback;
  const sign = (query.get('direction') ?? fallbackDirection) === 'desc' ? -1 : 1;
  const value = (row) => orders[key]?.indexOf(row[key]) ?? row[key];
  return [...items].sort((a, b) => sign * (value(a) < value(b) ? -1 : value(a) > value(b) ? 1 : 0));
}

const has = (text, part) => (text ?? '').toLowerCase().includes(part.toLowerCase());
const clean = ({ problemCodes, revoked, ...device }) => device;
function subtree(tenant, id) {
  const inside = new Set([id]);
  for (let grew = true; grew; ) {
    grew = false;
    for (const group of tenant.groups) if (inside.has(group.parent_id) && !inside.has(group.id)) grew = Boolean(inside.add(group.id));
  }
  return inside;
}

function counts(tenant, task) {
  const own = tenant.executions.filter((execution) => execution.task_id === task.id);
  const count = (...states) => own.filter((execution) => states.includes(execution.state)).length;
  return { total: own.length, pending: count('pending'), running: count('running', 'cancelling'), done: count('done'), failed: count('failed'), cancelled: count('cancelled'), refused: count('refused'), progress: own.length ? Math.round(own.reduce((sum, one) => sum + one.progress, 0) / own.length) : 100 };
}
const taskView = (tenant, task) => ({ ...task, executions: counts(tenant, task) });
const find = (list, id) => list.find((one) => one.id === id) ?? (() => { throw new Refusal('not_found'); })();

function grant(session) {
  if (session.token) tokens.delete(session.token);
  session.token = ids.hex(40);
  session.expires = Date.now() + TOKEN_LIFE * 1000;
  tokens.set(session.token, session);
  return { access_token: session.token, expires_in: TOKEN_LIFE, must_change_password: session.mustChange };
}

function cancel(execution) {
  if (execution.state !== 'pending' && execution.state !== 'running') return 0;
  execution.state = execution.state === 'pending' ? 'cancelled' : 'cancelling';
  if (execution.state === 'cancelled') execution.ended_at = new Date().toISOString();
  return 1;
}

const ROUTES = [
  ['POST', '/api/v1/sign-in', ({ body, request, set }) => {
    const [tenant, user] = body.name.split('/');
    if (tenant === 'closed') throw new Refusal('tenant_suspended');
    const failed = failures.get(body.name) ?? 0;
    if (failed >= 3) throw new Refusal('sign_in_locked', { resets_at: new Date(Date.now() + 90_000).toISOString() }, { 'Retry-After': '90' });
    const account = tenants[tenant]?.users.find((one) => one.name === user && one.enabled);
    if (!account || body.password === 'wrong' || (account.password && account.password !== body.password)) {
      failures.set(body.name, failed + 1);
      if (tenants[tenant]) record(tenants[tenant], { user, action: 'session.sign_in', result: 'denied' });
      throw new Refusal('sign_in_failed');
    }
    if (account.two_factor_at && body.code === undefined) throw new Refusal('second_factor_required');
    if (account.two_factor_at && body.code !== totp(account.secret)) {
      if (!account.recovery.includes(body.code)) throw new Refusal('second_factor_wrong', { field: 'code' });
      account.recovery = account.recovery.filter((one) => one !== body.code);
    }
    failures.delete(body.name);
    account.last_sign_in_at = new Date().toISOString();
    record(tenants[tenant], { user, user_id: account.id, action: 'session.sign_in' });
    const session = { id: ids.uuid(), tenant, user, account, language: body.language ?? 'en', mustChange: account.must_change_password, created_at: new Date().toISOString(), user_agent: request.headers['user-agent'] ?? '' };
    const cookie = ids.hex(32);
    sessions.set(cookie, session);
    set('Set-Cookie', `sekisho_refresh=${cookie}; HttpOnly; SameSite=Strict; Path=/api/v1`);
    return grant(session);
  }, 'open'],
  ['POST', '/api/v1/session/refresh', ({ session }) => grant(session), 'cookie'],
  ['POST', '/api/v1/sign-out', ({ session, cookie }) => { sessions.delete(cookie); tokens.delete(session.token); }, 'cookie'],
  ['POST', '/api/v1/session/password', (context) => {
    const { session, body } = context;
    if (body.current === 'wrong' || (session.account.password && session.account.password !== body.current)) throw new Refusal('password_wrong', { field: 'current' });
    session.mustChange = session.account.must_change_password = false;
    session.account.password = body.new;
    note(context, 'user.password_change', 'user', session.account);
    return grant(session);
  }],
  ['GET', '/api/v1/sessions', ({ session }) => ({ items: [...sessions.values()].filter((one) => one.account === session.account).map((one) => ({ id: one.id, created_at: one.created_at, last_used_at: new Date().toISOString(), address: '192.0.2.17', user_agent: one.user_agent, current: one === session })) })],
  ['DELETE', '/api/v1/sessions/:id', ({ params }) => { for (const [cookie, one] of sessions) if (one.id === params[0]) { sessions.delete(cookie); tokens.delete(one.token); } }],
  ['GET', '/api/v1/me', ({ session, tenant }) => me(session, tenant)],
  ['PATCH', '/api/v1/me', ({ session, tenant, body }) => { session.language = body.language; return me(session, tenant); }],
  ['GET', '/api/v1/overview', ({ tenant }) => {
    const status = (wanted) => tenant.devices.filter((device) => device.status === wanted).length;
    const silent = tenant.devices.filter((device) => Date.now() - Date.parse(device.last_seen) > device.interval * 2000).length;
    const day = (age) => new Date(Date.now() + 9 * 3600_000 - age * 86400_000).toISOString().slice(0, 10);
    const byDay = Array.from({ length: 14 }, (_, index) => ({ day: day(13 - index), count: 0 }));
    for (const detection of tenant.detections) {
      const slot = byDay.find((one) => one.day === new Date(Date.parse(detection.occurred_at) + 9 * 3600_000).toISOString().slice(0, 10));
      if (slot) slot.count += 1;
    }
    return { devices: tenant.devices.length, devices_ok: status('ok'), devices_attention: status('attention'), devices_problem: status('problem'), devices_silent: silent, detections_unresolved: tenant.detections.filter((one) => !one.resolved).length, detections_today: byDay[13].count, tasks_running: tenant.tasks.filter((task) => counts(tenant, task).running + counts(tenant, task).pending > 0).length, seats: tenant.seats, seats_used: tenant.devices.length, detections_by_day: byDay };
  }],
  ['GET', '/api/v1/devices', ({ tenant, query }) => {
    const inside = query.has('group') ? subtree(tenant, query.get('group')) : null;
    const rows = tenant.devices.filter((device) => (!inside || inside.has(device.group_id)) && (!query.has('status') || device.status === query.get('status')) && (!query.has('os') || device.os_family === query.get('os')) && (query.get('problems_only') !== 'true' || device.problems > 0) && (!query.has('isolated') || String(device.isolated) === query.get('isolated')) && (!query.has('search') || [device.name, device.description, device.ip].some((text) => has(text, query.get('search')))));
    const answer = page(sorted(rows, query, 'name', 'asc'), query);
    return { ...answer, items: answer.items.map(clean) };
  }],
  ['GET', '/api/v1/devices/:id', ({ tenant, params }) => deviceDetail(tenant, find(tenant.devices, params[0]))],
  ['PATCH', '/api/v1/devices/:id', ({ tenant, params, body }) => {
    const device = find(tenant.devices, params[0]);
    Object.assign(device, body);
    if (body.group_id) device.group_name = find(tenant.groups, body.group_id).name;
    recount(tenant);
    hint(tenant, 'devices');
    return deviceDetail(tenant, device);
  }],
  ['DELETE', '/api/v1/devices/:id', ({ tenant, params }) => { tenant.devices = tenant.devices.filter((one) => one.id !== params[0]); recount(tenant); hint(tenant, 'devices'); }],
  ['DELETE', '/api/v1/devices/:id/certificate', ({ tenant, params }) => { find(tenant.devices, params[0]).revoked = true; }],
  ['GET', '/api/v1/devices/:id/software', ({ query }) => page(software().filter((one) => !query.has('search') || has(one.name, query.get('search'))), query)],
  ['GET', '/api/v1/groups', ({ tenant }) => ({ items: tenant.groups })],
  ['POST', '/api/v1/groups', ({ tenant, body }) => {
    if (tenant.groups.some((group) => group.name === body.name)) throw new Refusal('name_taken', { field: 'name' });
    const group = { id: ids.uuid(), parent_id: body.parent_id ?? tenant.groups[0].id, name: body.name, built_in: false, devices: 0 };
    tenant.groups.push(group);
    return [201, group];
  }],
  ['GET', '/api/v1/detections', ({ tenant, query }) => {
    const rows = tenant.detections.filter((one) => (!query.has('device') || one.device_id === query.get('device')) && (!query.has('resolved') || String(one.resolved) === query.get('resolved')) && (!query.has('severity') || one.severity === query.get('severity')) && (!query.has('type') || one.type === query.get('type')) && (!query.has('from') || one.occurred_at >= query.get('from')) && (!query.has('to') || one.occurred_at < query.get('to')) && (!query.has('search') || [one.name, one.object, one.device_name].some((text) => has(text, query.get('search')))));
    return page(sorted(rows, query, 'occurred_at', 'desc', { severity: ['info', 'warning', 'critical'] }), query);
  }],
  ['GET', '/api/v1/detections/:id', ({ tenant, params }) => find(tenant.detections, params[0])],
  ['POST', '/api/v1/detections/resolve', ({ tenant, body, session }) => {
    let changed = 0;
    for (const one of tenant.detections) {
      if (!body.ids.includes(one.id) || one.resolved === body.resolved) continue;
      Object.assign(one, { resolved: body.resolved, resolved_at: body.resolved ? new Date().toISOString() : undefined, resolved_by: body.resolved ? session.user : undefined });
      changed += 1;
    }
    recount(tenant);
    hint(tenant, 'detections');
    return { changed };
  }],
  ['GET', '/api/v1/quarantine', ({ tenant, query }) => page(tenant.quarantine.filter((one) => !query.has('device') || one.device_id === query.get('device')), query)],
  ['GET', '/api/v1/tasks', ({ tenant, query }) => page(tenant.tasks.filter((task) => !query.has('type') || task.type === query.get('type')).map((task) => taskView(tenant, task)), query, false)],
  ['POST', '/api/v1/tasks', ({ tenant, body, session }) => {
    const bad = body.scan?.targets?.findIndex((target) => !target.startsWith('/')) ?? -1;
    if (bad >= 0) throw new Refusal('field_format', { field: `scan.targets[${bad}]`, allowed: ['absolute path'] });
    const task = makeTask(tenant, { ...body, by: session.user });
    note({ tenant, session }, 'task.create', 'task', { id: task.id, name: task.type });
    hint(tenant, 'tasks');
    return [201, taskView(tenant, task)];
  }],
  ['GET', '/api/v1/tasks/:id', ({ tenant, params }) => taskView(tenant, find(tenant.tasks, params[0]))],
  ['POST', '/api/v1/tasks/:id/cancel', ({ tenant, params }) => {
    const changed = tenant.executions.filter((one) => one.task_id === params[0]).reduce((sum, one) => sum + cancel(one), 0);
    hint(tenant, 'tasks');
    return { changed };
  }],
  ['GET', '/api/v1/executions', ({ tenant, query }) => page(tenant.executions.filter((one) => (!query.has('task') || one.task_id === query.get('task')) && (!query.has('device') || one.device_id === query.get('device')) && (!query.has('state') || one.state === query.get('state'))), query, false)],
  ['POST', '/api/v1/executions/:id/cancel', ({ tenant, params }) => { const changed = cancel(find(tenant.executions, params[0])); hint(tenant, 'tasks'); return { changed }; }],
  ['GET', '/api/v1/enrolment-tokens', ({ tenant }) => ({ items: tenant.tokens })],
  ['POST', '/api/v1/enrolment-tokens', ({ tenant, body }) => {
    if (tenant.tokens.some((one) => one.name === body.name)) throw new Refusal('name_taken', { field: 'name' });
    const group = tenant.groups.find((one) => one.id === body.group_id) ?? tenant.groups[1];
    const token = { id: ids.uuid(), name: body.name, group_id: group.id, group_name: group.name, created_at: new Date().toISOString(), expires_at: new Date(Date.now() + (body.valid_days ?? 30) * 86400_000).toISOString(), uses: 0, max_uses: body.max_uses, revoked: false };
    tenant.tokens.unshift(token);
    hint(tenant, 'enrolment');
    return [201, { token, secret: `skt_${ids.hex(48)}`, agent_host: 'agents.sekisho.example', agent_port: 2222, ca_pem: `-----BEGIN CERTIFICATE-----\n${Buffer.from(ids.hex(300)).toString('base64').replace(/(.{64})/g, '$1\n')}\n-----END CERTIFICATE-----\n` }];
  }],
  ['DELETE', '/api/v1/enrolment-tokens/:id', ({ tenant, params }) => { find(tenant.tokens, params[0]).revoked = true; hint(tenant, 'enrolment'); }],
  ['POST', '/api/v1/me/two-factor', ({ session, body }) => {
    proof(session, body);
    session.account.pending = newSecret();
    return { secret: session.account.pending, uri: `otpauth://totp/Sekisho:${session.tenant}%2F${session.user}?secret=${session.account.pending}&issuer=Sekisho` };
  }],
  ['DELETE', '/api/v1/me/two-factor', (context) => {
    proof(context.session, context.body);
    Object.assign(context.session.account, { two_factor_at: undefined, secret: undefined, recovery: [] });
    note(context, 'user.two_factor_end', 'user', context.session.account);
  }],
  ['POST', '/api/v1/me/two-factor/confirm', (context) => {
    const { account } = context.session;
    if (!account.pending) throw new Refusal('second_factor_absent');
    if (context.body.code !== totp(account.pending)) throw new Refusal('second_factor_wrong', { field: 'code' });
    Object.assign(account, { secret: account.pending, pending: undefined, two_factor_at: new Date().toISOString(), recovery: Array.from({ length: 10 }, () => `${ids.hex(5)}-${ids.hex(5)}`) });
    note(context, 'user.two_factor_begin', 'user', account);
    hint(context.tenant, 'users');
    return { codes: account.recovery };
  }],
  ['GET', '/api/v1/targets', ({ tenant, query }) => {
    const rows = tenant.devices.filter((device) => !query.has('search') || has(device.name, query.get('search'))).map(({ id, name, group_name, os_family }) => ({ id, name, group_name, os_family }));
    return page(sorted(rows, query, 'name', 'asc'), query, false);
  }],
  ['GET', '/api/v1/users', ({ tenant, session, query }) => {
    const rows = tenant.users.filter((user) => (!query.has('search') || [user.name, user.display_name, user.email].some((text) => has(text, query.get('search')))) && (!query.has('set') || user.set_ids.includes(query.get('set'))) && (!query.has('enabled') || String(user.enabled) === query.get('enabled')));
    return page(sorted(rows, query, 'name', 'asc').map((user) => userView(tenant, user, session.account)), query);
  }],
  ['POST', '/api/v1/users', (context) => {
    const { tenant, session, body } = context;
    if (!/^[\w.@+-]+$/.test(body.name)) throw new Refusal('field_format', { field: 'name', allowed: ['letters, digits and . _ @ + -'] });
    if (tenant.users.some((user) => user.name === body.name)) throw new Refusal('name_taken', { field: 'name' });
    within(tenant, session, body.set_ids);
    const user = { email: '', two_factor_required: false, ...body, id: ids.uuid(), enabled: true, must_change_password: true, created_at: new Date().toISOString(), revision: 1, recovery: [], password: newPassword() };
    tenant.users.push(user);
    note(context, 'user.create', 'user', user, [{ field: 'name', after: user.name }, { field: 'display_name', after: user.display_name }]);
    hint(tenant, 'users');
    return [201, { user: userView(tenant, user, session.account), password: user.password }];
  }],
  ['GET', '/api/v1/users/:id', ({ tenant, session, params }) => userView(tenant, find(tenant.users, params[0]), session.account)],
  ['PUT', '/api/v1/users/:id', (context) => {
    const { tenant, session, params, body } = context;
    const user = find(tenant.users, params[0]);
    if (user.revision !== body.revision) throw new Refusal('conflict');
    if (user === session.account && (!body.enabled || body.set_ids.join() !== user.set_ids.join())) throw new Refusal('own_rights');
    within(tenant, session, body.set_ids);
    const before = { ...user };
    Object.assign(user, { email: '', home_group_id: undefined, two_factor_required: false }, body, { revision: user.revision + 1 });
    if (!user.enabled) endSessions(user);
    note(context, 'user.update', 'user', user, diff(before, user, ['display_name', 'email', 'language', 'enabled', 'two_factor_required']));
    hint(tenant, 'users');
    return userView(tenant, user, session.account);
  }],
  ['DELETE', '/api/v1/users/:id', (context) => {
    const user = find(context.tenant.users, context.params[0]);
    endSessions(user);
    context.tenant.users = context.tenant.users.filter((one) => one !== user);
    note(context, 'user.remove', 'user', user);
    hint(context.tenant, 'users');
  }],
  ['POST', '/api/v1/users/:id/password', (context) => {
    const user = find(context.tenant.users, context.params[0]);
    endSessions(user);
    Object.assign(user, { password: newPassword(), must_change_password: true, locked_until: undefined, revision: user.revision + 1 });
    note(context, 'user.password_reset', 'user', user);
    hint(context.tenant, 'users');
    return { user: userView(context.tenant, user, context.session.account), password: user.password };
  }],
  ['DELETE', '/api/v1/users/:id/two-factor', (context) => {
    const user = find(context.tenant.users, context.params[0]);
    Object.assign(user, { two_factor_at: undefined, secret: undefined, recovery: [], revision: user.revision + 1 });
    note(context, 'user.two_factor_reset', 'user', user);
    hint(context.tenant, 'users');
  }],
  ['GET', '/api/v1/users/:id/sessions', ({ tenant, session, params }) => ({ items: [...sessions.values()].filter((one) => one.account === find(tenant.users, params[0])).map((one) => ({ id: one.id, created_at: one.created_at, last_used_at: new Date().toISOString(), address: '192.0.2.17', user_agent: one.user_agent, current: one === session })) })],
  ['DELETE', '/api/v1/users/:id/sessions', (context) => {
    const user = find(context.tenant.users, context.params[0]);
    note(context, 'user.sessions_end', 'user', user);
    return { changed: endSessions(user) };
  }],
  ['GET', '/api/v1/permission-sets', ({ tenant, session }) => ({ items: tenant.sets.map((set) => setView(tenant, set, session.account)) })],
  ['POST', '/api/v1/permission-sets', (context) => [201, writeSet(context)]],
  ['GET', '/api/v1/permission-sets/:id', ({ tenant, session, params }) => setView(tenant, find(tenant.sets, params[0]), session.account)],
  ['PUT', '/api/v1/permission-sets/:id', (context) => writeSet(context, find(context.tenant.sets, context.params[0]))],
  ['DELETE', '/api/v1/permission-sets/:id', (context) => {
    const { tenant } = context;
    const set = find(tenant.sets, context.params[0]);
    const used = tenant.users.filter((user) => user.set_ids.includes(set.id)).length;
    if (used > 0) throw new Refusal('set_in_use', { used });
    tenant.sets = tenant.sets.filter((one) => one !== set);
    note(context, 'permission_set.remove', 'permission_set', set);
    hint(tenant, 'users');
  }],
  ['GET', '/api/v1/audit', ({ tenant, query }) => {
    const is = (row, name, field = name) => !query.has(name) || row[field] === query.get(name);
    const rows = tenant.audit.filter((row) => is(row, 'user', 'user_id') && is(row, 'object', 'object_id') && is(row, 'domain') && is(row, 'action') && is(row, 'result') && (!query.has('from') || Date.parse(row.at) >= Date.parse(query.get('from'))) && (!query.has('to') || Date.parse(row.at) < Date.parse(query.get('to'))) && (!query.has('search') || [row.user, row.object_name, row.address].some((text) => has(text, query.get('search')))));
    return page(rows, query, false);
  }],
  ['GET', '/api/v1/audit/head', ({ tenant }) => {
    const [{ sequence, hash }] = tenant.audit;
    const at = new Date().toISOString();
    const statement = `sekisho audit head 1\n${tenant.id}\n${sequence}\n${hash}\n${at}\n`;
    return { tenant: tenant.id, sequence, hash, at, statement, ...signed(statement) };
  }],
  // Not in the contract: makes a detection at once, for trying live updates.
  ['POST', '/api/dev/detection', ({ query }) => {
    const tenant = tenants[query.get('tenant') ?? 'acme'];
    const detection = { ...makeDetection(tenant, 0, tenant.devices[0]), severity: 'critical', resolved: false };
    tenant.detections.unshift(detection);
    recount(tenant);
    hint(tenant, 'detections');
    return detection;
  }, 'open'],
].map(([method, path, handle, auth = 'user']) => ({ method, pattern: new RegExp(`^${path.replace(/:id/g, '([^/]+)')}$`), handle, auth }));

function me(session, tenant) {
  const { id, name, display_name, two_factor_at, two_factor_required } = session.account;
  return { user_id: id, name, display_name, language: session.language, tenant: session.tenant, tenant_name: tenant.title, plan: tenant.plan, seats: tenant.seats, seats_used: tenant.devices.length, time_zone: 'Asia/Tokyo', min_interval: tenant.plan === 'lite' ? 1200 : 60, permissions: permissionsOf(tenant, session.account), entitlements: tenant.entitlements, two_factor: Boolean(two_factor_at), two_factor_required };
}

function endSessions(account) {
  let ended = 0;
  for (const [cookie, one] of sessions) {
    if (one.account !== account) continue;
    sessions.delete(cookie);
    tokens.delete(one.token);
    ended += 1;
  }
  return ended;
}

const proof = (session, body) => {
  if (body.password === 'wrong' || (session.account.password && session.account.password !== body.password)) throw new Refusal('password_wrong', { field: 'password' });
};

function note({ tenant, session }, action, domain, object, changes = []) {
  record(tenant, { user: session.user, user_id: session.account.id, session_id: session.id, action, domain, object_id: object?.id, object_name: object?.name ?? '', changes });
}

function within(tenant, session, setIds) {
  for (const [index, id] of setIds.entries()) if (!tenant.sets.some((set) => set.id === id)) throw new Refusal('set_unknown', { field: `set_ids[${index}]` });
  const lacking = permissionsOf(tenant, { set_ids: setIds }).find((right) => !holds(permissionsOf(tenant, session.account), right));
  if (lacking) throw new Refusal('rights_exceeded', { field: 'set_ids', allowed: [lacking] });
}

const diff = (before, after, fields) => fields.filter((field) => String(before[field] ?? '') !== String(after[field] ?? '')).map((field) => ({ field, before: String(before[field] ?? ''), after: String(after[field] ?? '') }));

function writeSet(context, set) {
  const { tenant, session, body } = context;
  if (tenant.sets.some((one) => one !== set && one.name.toLowerCase() === body.name.toLowerCase())) throw new Refusal('name_taken', { field: 'name' });
  if (set && set.revision !== body.revision) throw new Refusal('conflict');
  const lacking = body.rights.find((right) => right.allow !== 'none' && !holds(permissionsOf(tenant, session.account), `${right.functionality}.${right.allow}`));
  if (lacking) throw new Refusal('rights_exceeded', { field: `rights[${body.rights.indexOf(lacking)}].allow`, allowed: [`${lacking.functionality}.${lacking.allow}`] });
  const values = { name: body.name, description: body.description ?? '', group_ids: body.group_ids, rights: body.rights, changed_at: new Date().toISOString() };
  const flat = (one) => ({ name: one?.name, description: one?.description, groups: one?.group_ids.map((id) => find(tenant.groups, id).name).join(', '), ...Object.fromEntries((one?.rights ?? []).map((right) => [right.functionality, right.deny === 'none' ? right.allow : `${right.allow}, deny ${right.deny}`])) });
  const changes = diff(flat(set), flat(values), ['name', 'description', 'groups', ...body.rights.map((right) => right.functionality)]);
  const kept = set ?? { id: ids.uuid(), built_in: false, revision: 0 };
  if (!set) tenant.sets.push(kept);
  Object.assign(kept, values, { revision: kept.revision + 1 });
  note(context, set ? 'permission_set.update' : 'permission_set.create', 'permission_set', kept, changes);
  hint(tenant, 'users');
  return setView(tenant, kept, session.account);
}

function hint(tenant, topic) {
  for (const stream of streams) if (stream.tenant === tenant) stream.response.write(`data: ${JSON.stringify({ topic, revision: Date.now() })}\n\n`);
}

function authenticate(request, auth) {
  if (auth === 'open') return {};
  if (auth === 'cookie') {
    const cookie = /sekisho_refresh=(\w+)/.exec(request.headers.cookie ?? '')?.[1];
    const session = sessions.get(cookie);
    if (!session) throw new Refusal('session_ended');
    return { session, cookie, tenant: tenants[session.tenant] };
  }
  const session = tokens.get((request.headers.authorization ?? '').replace('Bearer ', ''));
  if (!session) throw new Refusal('unauthenticated');
  if (session.expires < Date.now()) throw new Refusal('token_expired');
  return { session, tenant: tenants[session.tenant] };
}

async function readBody(request) {
  let text = '';
  for await (const chunk of request) text += chunk;
  return text ? JSON.parse(text) : undefined;
}

async function answerApi(request, response, url) {
  const language = (request.headers['accept-language'] ?? 'en').startsWith('ja') ? 2 : 1;
  const headers = { ...SECURITY, 'Cache-Control': 'no-store' };
  try {
    if (url.pathname === '/api/v1/live') return openStream(request, response, headers);
    const route = ROUTES.find((one) => one.method === request.method && one.pattern.test(url.pathname));
    if (!route) throw new Refusal('not_found');
    const caller = authenticate(request, route.auth);
    if (caller.session?.mustChange && route.auth === 'user' && !url.pathname.endsWith('/password')) throw new Refusal('password_change_required');
    const { account } = caller.session ?? {};
    if (account?.two_factor_required && !account.two_factor_at && route.auth === 'user' && !/\/(me|me\/two-factor|me\/two-factor\/confirm|session\/password)$/.test(url.pathname)) throw new Refusal('second_factor_setup_required');
    const rule = RULES.find((one) => one.method === request.method && one.pattern.test(url.pathname));
    if (rule?.entitlement && !caller.tenant.entitlements.includes(rule.entitlement)) throw new Refusal('plan_lacks', { allowed: [rule.entitlement] });
    if (account && rule?.permission.includes('.') && !holds(permissionsOf(caller.tenant, account), rule.permission)) throw new Refusal('permission_denied', { allowed: [rule.permission] });
    const params = route.pattern.exec(url.pathname).slice(1);
    const result = route.handle({ ...caller, request, params, query: url.searchParams, body: await readBody(request), set: (name, value) => { headers[name] = value; } });
    const [status, body] = Array.isArray(result) ? result : [result === undefined ? 204 : 200, result];
    response.writeHead(status, { ...headers, ...(body ? { 'Content-Type': 'application/json' } : {}) });
    response.end(body ? JSON.stringify(body) : undefined);
  } catch (error) {
    const code = error instanceof Refusal ? error.code : 'internal';
    if (code === 'internal') console.error(error);
    const text = TEXTS[code];
    response.writeHead(text[0], { ...headers, ...error.headers, 'Content-Type': 'application/problem+json' });
    response.end(JSON.stringify({ type: `urn:sekisho:${code}`, title: text[language].replace(/\{(\w+)\}/g, (_whole, name) => String((name === 'until' ? error.extra?.resets_at : error.extra?.[name]) ?? '…')), status: text[0], code, ...error.extra }));
  }
}

function openStream(request, response, headers) {
  const { session, tenant } = authenticate(request, 'user');
  const stream = { response, tenant };
  streams.add(stream);
  response.writeHead(200, { ...headers, 'Content-Type': 'text/event-stream' });
  response.write(': open\n\n');
  const beat = setInterval(() => response.write(': beat\n\n'), 20_000);
  const end = setTimeout(() => response.end(), session.expires - Date.now());
  request.on('close', () => {
    clearInterval(beat);
    clearTimeout(end);
    streams.delete(stream);
  });
}

function answerFile(response, url) {
  const wanted = join(DIST, normalize(url.pathname));
  const found = wanted.startsWith(DIST) && existsSync(wanted) && statSync(wanted).isFile();
  if (!found && url.pathname.startsWith('/assets/')) {
    response.writeHead(404, SECURITY).end();
    return;
  }
  const path = found ? wanted : join(DIST, 'index.html');
  const headers = { ...SECURITY, 'Content-Type': TYPES[extname(path)] ?? 'application/octet-stream', 'Cache-Control': found && url.pathname.startsWith('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache' };
  if (existsSync(`${path}.br`)) {
    response.writeHead(200, { ...headers, 'Content-Encoding': 'br' });
    createReadStream(`${path}.br`).pipe(response);
  } else {
    response.writeHead(200, headers);
    createReadStream(path).pipe(response);
  }
}

setInterval(() => {
  for (const tenant of Object.values(tenants)) {
    const open = tenant.executions.filter((one) => ['pending', 'running', 'cancelling'].includes(one.state));
    for (const execution of open.slice(0, 4)) {
      if (execution.state === 'cancelling') Object.assign(execution, { state: 'cancelled', ended_at: new Date().toISOString(), result_code: 'scan_cancelled' });
      else if (execution.progress >= 96) finish(tenant, execution);
      else Object.assign(execution, { state: 'running', started_at: execution.started_at ?? new Date().toISOString(), progress: execution.progress + 3, files_scanned: execution.task_type === 'scan' ? execution.progress * 120 : undefined, files_total: execution.task_type === 'scan' ? 12_000 : undefined, found: 0 });
    }
    if (open.length > 0) hint(tenant, 'tasks');
    for (const device of tenant.devices) if (device.connected && Date.now() - Date.parse(device.last_seen) > device.interval * 1000) device.last_seen = new Date().toISOString();
  }
}, 1_000).unref();

createServer((request, response) => {
  const url = new URL(request.url, 'http://localhost');
  if (url.pathname.startsWith('/api/')) void answerApi(request, response, url);
  else answerFile(response, url);
}).listen(PORT, '127.0.0.1', () => console.log(`http://127.0.0.1:${PORT}  acme/admin, kaede/admin, acme/fresh, acme/tasks, acme/nobody (any password but "wrong"), closed/x`));
