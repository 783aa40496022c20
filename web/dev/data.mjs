// SPDX-License-Identifier: Apache-2.0
// Seeded sample data for the development server: two tenants with devices, detections, tasks and tokens.
import { createHash } from 'node:crypto';

export function randomness(seed) {
  let state = seed;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 4294967296;
  };
  const below = (limit) => Math.floor(next() * limit);
  const pick = (list) => list[below(list.length)];
  const hex = (digits) => Array.from({ length: digits }, () => below(16).toString(16)).join('');
  const uuid = () => `${hex(8)}-${hex(4)}-7${hex(3)}-${pick(['8', '9', 'a', 'b'])}${hex(3)}-${hex(12)}`;
  return { next, below, pick, hex, uuid };
}

const SYSTEMS = [
  ['windows', 'Windows 11 Pro', '24H2 (26100.2314)', 'C:\\Users\\'],
  ['windows', 'Windows 11 Enterprise', '23H2 (22631.4460)', 'C:\\Users\\'],
  ['windows', 'Windows Server 2022', '21H2 (20348.2849)', 'D:\\share\\'],
  ['macos', 'macOS Sequoia', '15.1.1', '/Users/'],
  ['linux', 'Debian GNU/Linux 12', '12 (bookworm)', '/home/'],
  ['linux', 'Ubuntu 24.04 LTS', '24.04.1', '/home/'],
];
const THREATS = [
  ['Win.Trojan.Agent-1388639', 'malware', 'critical'],
  ['Win.Ransomware.Locker-9950', 'malware', 'critical'],
  ['Js.Downloader.Nemucod-7781', 'malware', 'critical'],
  ['PUA.Win.Adware.Bundle-4412', 'unwanted', 'warning'],
  ['Heuristics.Phishing.Email.SpoofedDomain', 'suspicious', 'warning'],
  ['Eicar-Test-Signature', 'test', 'info'],
  ['Doc.Dropper.Macro-6021', 'malware', 'critical'],
  ['Unix.Coinminer.Xmrig-5318', 'malware', 'critical'],
];
const PEOPLE = {
  acme: ['j.miller', 'a.novak', 's.lindqvist', 'r.ferrari', 'm.dubois', 'k.jansen'],
  kaede: ['tanaka', 'suzuki', '佐藤 花子', 'yamamoto', '高橋 健一', 'ito'],
};
const PLACES = {
  acme: ['Sales', 'Engineering', 'Finance', 'Warehouse'],
  kaede: ['営業部', '開発部', '経理部', '大阪支店'],
};
const PREFIX = { acme: ['LT', 'WS', 'SRV', 'MAC'], kaede: ['営業ノート', '開発機', '経理PC', 'OSK-SRV'] };
const FILES = ['Downloads/invoice_20261123.pdf.exe', 'AppData/Local/Temp/~df3921.tmp', 'Documents/見積書_最終版.docm', 'Desktop/setup_free.exe', 'mail/attachment-0019.eml', '.cache/x/miner', 'Downloads/eicar.com'];
const PACKAGES = ['adduser', 'apt', 'base-files', 'bash', 'ca-certificates', 'clamav', 'clamav-daemon', 'coreutils', 'curl', 'dpkg', 'firefox-esr', 'git', 'gnupg', 'libc6', 'libreoffice', 'libssl3', 'nftables', 'openssh-server', 'postgresql-15', 'python3', 'rsyslog', 'sekisho-agent', 'sudo', 'systemd', 'thunderbird', 'vim', 'wget', 'xz-utils', 'zlib1g'];

const ago = (seconds) => new Date(Date.now() - seconds * 1000).toISOString();

export function makeTenant(id, title, plan, seats, seed) {
  const random = randomness(seed);
  const all = { id: random.uuid(), name: 'group.all', built_in: true };
  const lost = { id: random.uuid(), parent_id: all.id, name: 'group.lost_and_found', built_in: true };
  const places = PLACES[id].map((name) => ({ id: random.uuid(), parent_id: all.id, name, built_in: false }));
  const inner = { id: random.uuid(), parent_id: places[1].id, name: id === 'kaede' ? '検証環境' : 'Test lab', built_in: false };
  const groups = [all, lost, ...places, inner];
  const tenant = { id, title, plan, seats, groups, random, devices: [], detections: [], quarantine: [], tasks: [], executions: [], tokens: [] };
  for (let index = 0; index < 200; index += 1) tenant.devices.push(makeDevice(tenant, index));
  for (let index = 0; index < 164; index += 1) tenant.detections.push(makeDetection(tenant, random.below(14 * 86400)));
  tenant.detections.sort((a, b) => (a.occurred_at < b.occurred_at ? 1 : -1));
  for (const [type, age, count] of [['scan', 240, 6], ['update_modules', 5000, 40], ['show_message', 9000, 3], ['isolate', 40000, 1], ['scan', 90000, 12]]) {
    makeTask(tenant, { type, devices: tenant.devices.slice(type === 'isolate' ? 3 : 0, type === 'isolate' ? 4 : count).map((device) => device.id), created: ago(age), by: 'admin' });
  }
  for (const task of tenant.tasks.slice(1)) for (const execution of tenant.executions.filter((one) => one.task_id === task.id)) finish(tenant, execution);
  for (const [name, uses, max, days, revoked] of [['Demo agent', 3, undefined, 30, false], ['Sales laptops, November', 25, 25, 12, false], ['Old image', 61, undefined, -20, false], ['Leaked on a share', 2, undefined, 9, true]]) {
    tenant.tokens.push({ id: random.uuid(), name, group_id: lost.id, group_name: lost.name, created_at: ago(20 * 86400), expires_at: ago(-days * 86400), uses, max_uses: max, revoked });
  }
  recount(tenant);
  return tenant;
}

function makeDevice(tenant, index) {
  const { random } = tenant;
  const [family, name, version] = random.pick(SYSTEMS);
  const group = index === 0 ? tenant.groups[1] : random.pick([...tenant.groups.slice(1), ...tenant.groups.slice(2)]);
  const interval = tenant.plan === 'lite' ? 1200 : 60;
  const state = random.next();
  const problems = state < 0.78 ? [] : state < 0.92 ? [random.pick([['modules_outdated', ['9']], ['restart_required', []], ['disk_low', ['/var']], ['prevention_off', []]])] : [['protection_off', []], ['clock_skew', ['-3']]];
  const seen = random.next() < 0.85 ? random.below(interval * 2) : random.below(interval * 40);
  return {
    id: random.uuid(),
    name: index === 0 ? 'demo-debian' : `${random.pick(PREFIX[tenant.id])}-${String(random.below(900) + 100)}`,
    description: random.next() < 0.2 ? (tenant.id === 'kaede' ? '本社 3 階' : 'Third floor') : undefined,
    group_id: group.id,
    group_name: group.name,
    status: problems.length === 0 ? 'ok' : problems.length === 1 ? 'attention' : 'problem',
    os_family: index === 0 ? 'linux' : family,
    os_name: index === 0 ? 'Debian GNU/Linux 12' : name,
    os_version: index === 0 ? '12 (bookworm)' : version,
    ip: `10.${20 + random.below(4)}.${random.below(250)}.${random.below(250) + 1}`,
    last_seen: ago(seen),
    interval,
    connected: seen < interval * 1.4,
    problems: problems.length,
    unresolved: 0,
    isolated: index === 3,
    protection: problems.length > 1 ? 'off' : problems[0]?.[0] === 'prevention_off' ? 'detect_only' : 'on',
    agent_version: '0.1.0',
    enrolled_at: ago(random.below(200 * 86400)),
    problemCodes: problems,
  };
}

export function makeDetection(tenant, age, device = tenant.random.pick(tenant.devices)) {
  const { random } = tenant;
  const [name, type, severity] = random.pick(THREATS);
  const user = random.pick(PEOPLE[tenant.id]);
  const home = SYSTEMS.find(([family]) => family === device.os_family)[3];
  const resolved = age > 86400 * 2 && random.next() < 0.85;
  const action = random.next() < 0.04 ? 'failed' : random.pick(['quarantined', 'quarantined', 'blocked', 'deleted']);
  const detection = {
    id: random.uuid(),
    device_id: device.id,
    device_name: device.name,
    name,
    type,
    severity,
    scanner: random.next() < 0.7 ? 'on_access' : 'on_demand',
    action,
    action_error: action === 'failed' ? 'The file is in use by another process.' : undefined,
    object: `${home}${user}/${random.pick(FILES)}`,
    sha256: random.hex(64),
    size_bytes: random.below(4_000_000) + 68,
    process: device.os_family === 'windows' ? 'C:\\Windows\\explorer.exe' : '/usr/bin/cp',
    user,
    engine: 'ClamAV',
    engine_version: '1.0.9',
    signature_version: '27463',
    occurred_at: ago(age),
    received_at: ago(age - 1),
    resolved,
    resolved_at: resolved ? ago(age - 3600) : undefined,
    resolved_by: resolved ? 'admin' : undefined,
  };
  if (action === 'quarantined') {
    tenant.quarantine.unshift({ id: random.uuid(), device_id: device.id, device_name: device.name, name, object: detection.object, sha256: detection.sha256, size_bytes: detection.size_bytes, quarantined_at: detection.occurred_at });
  }
  return detection;
}

export function makeTask(tenant, { type, devices, created = ago(0), by = 'admin', ...rest }) {
  const { random } = tenant;
  const task = { id: random.uuid(), type, name: rest.name ?? '', created_at: created, created_by: by, detection_id: rest.detection_id, scan: rest.scan, message: rest.message };
  tenant.tasks.push(task);
  tenant.tasks.sort((a, b) => (a.created_at < b.created_at ? 1 : -1));
  for (const id of devices) {
    const device = tenant.devices.find((one) => one.id === id);
    if (!device) continue;
    tenant.executions.unshift({ id: random.uuid(), task_id: task.id, task_type: type, task_name: task.name, device_id: id, device_name: device.name, state: 'pending', progress: 0, created_at: created });
  }
  return task;
}

export function finish(tenant, execution) {
  const { random } = tenant;
  const codes = { scan: ['scan_done', [String(3200 + random.below(9000)), '0']], update_modules: ['modules_updated', ['27463']], show_message: ['message_shown', []], isolate: ['isolated', []], end_isolation: ['isolation_ended', []] };
  const luck = random.next();
  execution.state = luck < 0.9 ? 'done' : luck < 0.96 ? 'failed' : 'refused';
  execution.progress = 100;
  [execution.result_code, execution.result_args] = execution.state === 'done' ? codes[execution.task_type] : execution.state === 'failed' ? ['engine_unavailable', []] : ['unsupported', []];
  execution.started_at ??= execution.created_at;
  execution.ended_at = new Date(Date.parse(execution.started_at) + 64_000).toISOString();
  if (execution.state !== 'done') return;
  const device = tenant.devices.find((one) => one.id === execution.device_id);
  if (device && execution.task_type.endsWith('isolation')) device.isolated = false;
  if (device && execution.task_type === 'isolate') device.isolated = true;
}

export function recount(tenant) {
  const unresolved = new Map();
  for (const detection of tenant.detections) if (!detection.resolved) unresolved.set(detection.device_id, (unresolved.get(detection.device_id) ?? 0) + 1);
  for (const device of tenant.devices) device.unresolved = unresolved.get(device.id) ?? 0;
  for (const group of tenant.groups) group.devices = tenant.devices.filter((device) => device.group_id === group.id).length;
}

export function deviceDetail(tenant, device) {
  const linux = device.os_family === 'linux';
  const serial = createHash('sha256').update(device.id).digest('hex').slice(0, 10).toUpperCase();
  const GB = 1024 ** 3;
  const { problemCodes, ...plain } = device;
  return {
    device: plain,
    fqdn: `${device.name.toLowerCase()}.${tenant.id}.example`,
    kernel: linux ? '6.1.0-27-amd64' : undefined,
    architecture: 'x86_64',
    time_zone: 'Asia/Tokyo',
    locale: 'ja_JP.UTF-8',
    boot_at: ago(300_000),
    vendor: 'Example Computing',
    model: 'Slate 14 G3',
    serial,
    cpu: 'Example CPU i7-1365U @ 1.80GHz',
    cpu_cores: 10,
    memory_bytes: 16 * GB,
    software_count: PACKAGES.length,
    addresses: [device.ip, 'fe80::5054:ff:fe12:3456'],
    users: [PEOPLE[tenant.id][0]],
    disks: [{ name: linux ? 'nvme0n1' : 'Disk 0', model: 'Example NVMe 512', size_bytes: 512 * GB }],
    filesystems: [
      { mount: linux ? '/' : 'C:', type: linux ? 'ext4' : 'NTFS', size_bytes: 200 * GB, free_bytes: 121 * GB },
      { mount: linux ? '/var' : 'D:', type: linux ? 'ext4' : 'NTFS', size_bytes: 300 * GB, free_bytes: 18 * GB },
    ],
    adapters: [{ name: linux ? 'eth0' : 'Ethernet', mac: '52:54:00:12:34:56', addresses: [device.ip, 'fe80::5054:ff:fe12:3456'], state: 'up', speed_mbps: 1000 }],
    problem_list: problemCodes.map(([code, args]) => ({ code, args, severity: code === 'protection_off' ? 'critical' : 'warning', since: ago(7200) })),
    engine: { name: 'ClamAV', version: '1.0.9', signature_version: '27463', signature_at: ago(9 * 3600), protection: device.protection, on_access: device.protection === 'on', watched_folders: linux ? ['/home', '/srv/share'] : undefined },
    certificate_expires_at: ago(-74 * 86400),
    certificate_revoked: device.revoked ?? false,
    lost_records: 0,
    identity_question: false,
  };
}

export function software() {
  return PACKAGES.map((name, index) => ({ name, version: `${1 + (index % 9)}.${index % 7}.${index}-1+deb12u${index % 4}`, vendor: 'Debian', architecture: 'amd64', size_bytes: (index + 1) * 613_000 }));
}
