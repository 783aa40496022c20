// SPDX-License-Identifier: Apache-2.0
// Users, permission sets, audit and second factors of the development server.
import { createHash, createHmac, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { randomness } from './data.mjs';

export const FUNCTIONALITIES = ['devices', 'detections', 'tasks', 'enrolment', 'users', 'permission_sets', 'audit'];
const LEVELS = ['none', 'read', 'use', 'write'];
const ids = randomness(Date.now() % 1e6);
const BUILT_IN = [
  ['administrator', 'write write write write write write write', false],
  ['reviewer', 'read read read read read read read', false],
  ['operator', 'read write write read none none none', false],
  ['branch_administrator', 'write write write write read none none', true],
  ['installer', 'none none none write none none none', false],
  ['auditor', 'none none none none none none read', false],
];
const PEOPLE = {
  acme: [['j.miller', 'Jamie Miller', 1], ['s.lindqvist', 'Sara Lindqvist', 2], ['r.ferrari', 'Rosa Ferrari', 3], ['m.dubois', 'Marc Dubois', 4], ['k.jansen', 'Kim Jansen', 5]],
  kaede: [['tanaka', '田中 太郎', 1], ['suzuki', '鈴木 一郎', 2], ['sato', '佐藤 花子', 3], ['yamamoto', '山本 由美', 4], ['ito', '伊藤 誠', 5]],
};
const OWN_SETS = { acme: ['Sales help desk', 'Detections of the Engineering department only, but no quarantine work.'], kaede: ['営業部ヘルプデスク', '営業部の端末の一次対応を担当する人向け。'] };

const rightsOf = (levels, denies = {}) => FUNCTIONALITIES.map((functionality, index) => ({ functionality, allow: levels.split(' ')[index], deny: denies[functionality] ?? 'none' }));
const ago = (seconds) => new Date(Date.now() - seconds * 1000).toISOString();

export function addAccess(tenant) {
  const language = tenant.id === 'kaede' ? 'ja' : 'en';
  const setId = (index) => `5e000000-0000-4000-8000-00000000000${index + 1}`;
  tenant.entitlements = ['notifications', 'multi_user', 'audit_screen'];
  tenant.sets = BUILT_IN.map(([name, levels, home], index) => ({ id: setId(index), name: `permission_set.${name}`, description: '', built_in: true, group_ids: [], on_home_group: home, rights: rightsOf(levels) }));
  const [name, description] = OWN_SETS[tenant.id];
  tenant.sets.push({ id: ids.uuid(), name, description, built_in: false, group_ids: [tenant.groups[2].id], rights: rightsOf('read write use none none none none', { tasks: 'write' }), revision: 3, changed_at: ago(400_000) });
  tenant.sets.push({ id: ids.uuid(), name: language === 'ja' ? 'タスクのみ' : 'Tasks only', description: '', built_in: false, group_ids: [tenant.groups[0].id], rights: rightsOf('none none write none none none none'), revision: 1, changed_at: ago(900_000) });
  const user = (login, display_name, sets, more = {}) => ({ id: ids.uuid(), name: login, display_name, email: `${login}@${tenant.id}.example`, language, set_ids: sets, enabled: true, must_change_password: false, two_factor_required: false, last_sign_in_at: ago(ids.below(400_000)), created_at: ago(8e6 - ids.below(4e6)), revision: 1, recovery: [], ...more });
  tenant.users = [
    user('admin', tenant.id === 'kaede' ? '高橋 健一' : 'Alex Novak', [setId(0)], { email: '' }),
    ...PEOPLE[tenant.id].map(([login, display, index]) => user(login, display, [setId(index)])),
    user('fresh', language === 'ja' ? '新入 社員' : 'New Colleague', [setId(0)], { must_change_password: true, last_sign_in_at: undefined }),
    user('tasks', language === 'ja' ? '作業 担当' : 'Task Runner', [tenant.sets.at(-1).id]),
    user('nobody', language === 'ja' ? '権限 なし' : 'No Rights', []),
  ];
  Object.assign(tenant.users[1], { enabled: false });
  Object.assign(tenant.users[2], { set_ids: [setId(2), tenant.sets.at(-2).id], two_factor_at: ago(90_000), secret: 'x' });
  Object.assign(tenant.users[3], { home_group_id: tenant.groups[3].id });
  Object.assign(tenant.users[4], { locked_until: new Date(Date.now() + 900_000).toISOString() });
  tenant.audit = [];
  sampleAudit(tenant);
}

export function record(tenant, entry) {
  const last = tenant.audit[0];
  const sequence = (last?.sequence ?? 0) + 1;
  const row = { id: ids.uuid(), sequence, at: new Date().toISOString(), address: '192.0.2.17', object_name: '', domain: '', result: 'done', changes: [], ...entry };
  row.hash = createHash('sha256').update((last?.hash ?? tenant.id) + JSON.stringify(row)).digest('hex');
  tenant.audit.unshift(row);
}

function sampleAudit(tenant) {
  const admin = tenant.users[0];
  const by = (user) => ({ user_id: user.id, user: user.name, session_id: ids.uuid() });
  const of = (domain, object) => ({ domain, object_id: object.id, object_name: object.name });
  const device = tenant.devices[0];
  const list = [
    { ...by(admin), action: 'session.sign_in' },
    { ...by(admin), action: 'group.create', ...of('group', tenant.groups[3]), changes: [{ field: 'name', after: tenant.groups[3].name }] },
    { user: 'agent', action: 'device.enrol', ...of('device', device) },
    { ...by(admin), action: 'device.update', ...of('device', device), changes: [{ field: 'name', before: 'localhost', after: device.name }, { field: 'group', before: 'group.lost_and_found', after: tenant.groups[2].name }] },
    { ...by(tenant.users[2]), action: 'detection.resolve', ...of('detection', tenant.detections[3]), changes: [{ field: 'resolved', before: 'false', after: 'true' }] },
    { user: 'admin', action: 'session.sign_in', result: 'denied', address: '203.0.113.250' },
    { ...by(tenant.users[2]), action: 'task.create', domain: 'task', object_id: tenant.tasks[0].id, object_name: 'scan' },
    { ...by(tenant.users[2]), action: 'user.update', result: 'denied', ...of('user', admin) },
    { ...by(admin), action: 'permission_set.update', ...of('permission_set', tenant.sets.at(-2)), changes: [{ field: 'detections', before: 'read', after: 'write' }, { field: 'description', before: '', after: tenant.sets.at(-2).description }] },
    { ...by(admin), action: 'user.password_reset', ...of('user', tenant.users[3]) },
    { ...by(admin), action: 'enrolment_token.revoke', ...of('enrolment_token', tenant.tokens[3]) },
    { ...by(admin), action: 'device.certificate_revoke', result: 'failed', ...of('device', tenant.devices[5]), address: '2001:db8:1f:a2::17' },
    { ...by(tenant.users[5]), action: 'audit.export_v2', domain: 'warehouse' },
  ];
  for (let round = 0; round < 8; round += 1) list.forEach((entry, index) => record(tenant, { ...entry, at: ago(900_000 - (round * list.length + index) * 8_600) }));
}

const level = (name) => LEVELS.indexOf(name);

export function permissionsOf(tenant, user) {
  const names = [];
  for (const functionality of FUNCTIONALITIES) {
    const rights = tenant.sets.filter((set) => user.set_ids.includes(set.id)).map((set) => set.rights.find((right) => right.functionality === functionality));
    const allow = Math.max(0, ...rights.map((right) => level(right?.allow ?? 'none')));
    const denies = rights.map((right) => level(right?.deny ?? 'none')).filter((deny) => deny > 0);
    const most = Math.min(allow, ...denies.map((deny) => deny - 1));
    for (let at = 1; at <= most; at += 1) names.push(`${functionality}.${LEVELS[at]}`);
  }
  return names;
}

export const holds = (permissions, wanted) => {
  const [functionality, least] = wanted.split('.');
  return permissions.some((one) => one.split('.')[0] === functionality && level(one.split('.')[1]) >= level(least));
};

const named = (tenant, groupId) => {
  const group = tenant.groups.find((one) => one.id === groupId);
  return group && { id: group.id, name: group.name, built_in: group.built_in };
};

export function userView(tenant, user, caller) {
  const mine = permissionsOf(tenant, caller);
  const { set_ids, home_group_id, secret, pending, recovery, password, two_factor_at, ...plain } = user;
  return {
    ...plain,
    home_group: home_group_id && named(tenant, home_group_id),
    sets: tenant.sets.filter((set) => set_ids.includes(set.id)).map(({ id, name, built_in }) => ({ id, name, built_in })),
    two_factor: Boolean(two_factor_at),
    own: user === caller,
    editable: holds(mine, 'users.write') && permissionsOf(tenant, user).every((right) => holds(mine, right)),
  };
}

export function setView(tenant, set, caller) {
  const { group_ids, ...plain } = set;
  return { ...plain, groups: group_ids.map((id) => named(tenant, id)).filter(Boolean), users: tenant.users.filter((user) => user.set_ids.includes(set.id)).length, editable: !set.built_in && holds(permissionsOf(tenant, caller), 'permission_sets.write') };
}

export const newPassword = () => randomBytes(9).toString('base64url').replace(/[-_]/g, 'k').replace(/(.{4})(?=.)/g, '$1-');

const keys = generateKeyPairSync('ed25519');
export const signed = (statement) => ({
  signature: sign(null, Buffer.from(statement), keys.privateKey).toString('hex'),
  public_key: keys.publicKey.export({ type: 'spki', format: 'der' }).subarray(-32).toString('hex'),
});

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
export const newSecret = () => Array.from(randomBytes(32), (byte) => BASE32[byte % 32]).join('');

export function totp(secret, at = Date.now()) {
  let bits = '';
  for (const letter of secret) bits += BASE32.indexOf(letter).toString(2).padStart(5, '0');
  const key = Buffer.from(bits.match(/.{8}/g).map((one) => parseInt(one, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(at / 30_000)));
  const mac = createHmac('sha1', key).update(counter).digest();
  const offset = mac.at(-1) & 15;
  return String((mac.readUInt32BE(offset) & 0x7fffffff) % 1_000_000).padStart(6, '0');
}
