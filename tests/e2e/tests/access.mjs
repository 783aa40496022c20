// SPDX-License-Identifier: Apache-2.0
// Who may do what, and who did what: users, permission sets, second factors and the audit, in both languages.
import assert from 'node:assert/strict';
import { createPublicKey, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { eventually } from '../lib/stage.mjs';
import { nextStep, totp } from '../lib/totp.mjs';

const PASSWORD = 'quiet river under stones';
const ED25519_PREFIX = '302a300506032b6570032100'; // what makes a SubjectPublicKeyInfo of 32 bytes

export function access(runner, stage, world) {
  const mark = Date.now().toString(36);
  const names = { helper: `helper.${mark}`, strict: `strict.${mark}`, set: `Night shift ${mark}` };
  const first = {}; // first passwords by name
  const secret = {};
  let helper; // the visitor of the user made here
  let setId = '';

  /** Makes a user in the dialog at hand and returns the first password. */
  const makeUser = async (admin, name, displayName, setName, { required = false } = {}) => {
    const { page, say } = admin;
    await admin.route('/users');
    await admin.heading(say('users:title')).waitFor();
    await page.getByTestId('new-user').click();
    await page.getByTestId('user-name').fill(name);
    await page.getByTestId('user-display_name').fill(displayName);
    await page.getByTestId('user-sets').getByRole('checkbox', { name: setName, exact: true }).check();
    if (required) await page.getByTestId('user-two-factor-required').check();
    await admin.dialog.getByRole('button', { name: say('users:create.confirm'), exact: true }).click();
    first[name] = (await page.getByTestId('first-password').innerText()).trim();
    assert.equal((await page.getByTestId('first-name').innerText()).trim(), `acme/${name}`);
    await page.getByTestId('first-password-done').click();
    await admin.dialog.waitFor({ state: 'detached' });
    await admin.panel.getByRole('heading', { name }).waitFor();
  };
  const changePassword = async ({ page }, current) => {
    await page.waitForURL(/\/password/);
    await page.getByTestId('password-current').fill(current);
    await page.getByTestId('password-next').fill(PASSWORD);
    await page.getByTestId('password-again').fill(PASSWORD);
    await page.getByTestId('password-submit').click();
  };
  const menu = ({ page }) => page.locator('#menu a .sk-nav-text').allInnerTexts();
  const openUser = async (admin, name) => {
    await admin.route(`/users?search=${encodeURIComponent(name)}`);
    await admin.heading(admin.say('users:title')).waitFor();
    await admin.rows.getByRole('button', { name, exact: true }).click();
    await admin.panel.locator('.sk-facts').first().waitFor();
  };

  runner.test('a permission set is made in the matrix; what is missing is said at its place', async () => {
    const { acme } = world;
    const { page, say } = acme;
    await acme.route('/permission-sets');
    await acme.heading(say('access:sets.title')).waitFor();
    await page.getByText(say('codes:permission_set.administrator'), { exact: true }).waitFor();
    await page.getByTestId('new-set').click();
    await acme.heading(say('access:editor.new')).waitFor();
    await page.getByTestId('save-set').click();
    for (const key of ['needsName', 'needsGroup', 'needsRight']) await page.getByText(say(`access:editor.${key}`)).waitFor();
    await page.getByTestId('set-name').fill(names.set);
    await page.getByTestId('set-description').fill('Gives tasks at night.');
    const groups = page.getByTestId('set-groups').getByRole('treeitem');
    await groups.first().click(); // All
    assert.equal(await groups.first().getAttribute('aria-checked'), 'true');
    assert.equal(await groups.nth(1).getAttribute('aria-disabled'), 'true'); // holds below anyway
    await page.getByTestId('allow-tasks-read').focus();
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowRight');
    assert.ok(await page.getByTestId('allow-tasks-write').isChecked(), 'the arrow keys walk a row');
    await page.getByTestId('save-set').click();
    await page.waitForURL(/\/permission-sets\?show=/);
    setId = new URL(page.url()).searchParams.get('show');
    await acme.panel.getByText('Gives tasks at night.').waitFor();
    const row = acme.panel.locator('.sk-rights tbody tr').filter({ hasText: say('access:functionality.tasks') });
    assert.match(await row.innerText(), new RegExp(say('access:level.write')));
  });

  runner.test('a user is made with that set; the first password is shown once', async () => {
    const { acme } = world;
    await makeUser(acme, names.helper, 'Night Helper', names.set);
    assert.ok(first[names.helper].length >= 12, 'a first password');
    assert.ok(!(await acme.page.content()).includes(first[names.helper]), 'the password is still on the page');
    const facts = await acme.facts(acme.panel);
    assert.equal(facts[acme.say('users:fact.state')], acme.say('users:condition.must_change'));
    assert.match(facts[acme.say('users:fact.sets')], new RegExp(names.set));
  });

  runner.test('the name cannot be given twice, and the refusal stands at the field', async () => {
    const { acme } = world;
    const { page, say } = acme;
    stage.tolerate(409, '/api/v1/users');
    await acme.route('/users');
    await page.getByTestId('new-user').click();
    await page.getByTestId('user-name').fill(names.helper);
    await page.getByTestId('user-display_name').fill('Somebody else');
    await acme.dialog.getByRole('button', { name: say('users:create.confirm'), exact: true }).click();
    await acme.dialog.locator('[id$=name-help]').getByText('The name is in use already.').waitFor();
    await page.keyboard.press('Escape');
    await acme.dialog.waitFor({ state: 'detached' });
  });

  runner.test('that user signs in, changes the password and sees only what the set allows', async () => {
    helper = await stage.visit('en', { name: 'helper' });
    const { page, say } = helper;
    await helper.go('/sign-in');
    await helper.signIn(`acme/${names.helper}`, first[names.helper]);
    await changePassword(helper, first[names.helper]);
    await helper.heading(say('tasks:title')).waitFor(); // the first page that this user may see
    assert.deepEqual(await menu(helper), [say('menu.tasks')]);
    for (const path of ['/users', '/permission-sets', '/audit', '/devices', '/overview']) {
      await helper.route(path);
      await page.getByTestId('lacking').waitFor();
    }
    await helper.route('/users');
    await page.getByText(say('failure.lacking.permission_denied', { right: 'Users: Read' })).waitFor();
    await page.getByText(say('failure.who.administrator')).waitFor();
    for (const path of ['devices', 'users', 'audit', 'overview', 'detections']) assert.equal((await helper.api(`/api/v1/${path}`)).status, 403, path);
  });

  runner.test('without a page of devices: a task for chosen targets', async () => {
    const { page, say } = helper;
    await helper.route('/tasks');
    await helper.heading(say('tasks:title')).waitFor();
    await page.getByTestId('new-task').click();
    await page.getByTestId('new-task-type').selectOption('update_modules');
    const boxes = page.getByTestId('targets').getByRole('checkbox');
    await boxes.first().waitFor();
    await page.getByTestId('targets').locator('li').nth(1).getByRole('checkbox').check();
    await page.getByTestId('targets').locator('li').nth(2).getByRole('checkbox').check();
    await helper.dialog.getByText(say('tasks:new.chosen', { count: 2, number: 2 })).waitFor();
    await page.getByTestId('new-task-next').click();
    const id = await helper.confirmTask(say('tasks:dialog.update_modules.confirm'));
    await eventually('two executions', async () => (await helper.rows.count()) === 2);
    assert.equal(await page.locator('tr[data-row] a').count(), 0); // no links to devices that cannot be seen
    world.tasks.push(id);
  });

  runner.test('the matrix is changed: no more tasks, but detections', async () => {
    const { acme } = world;
    const { page, say } = acme;
    await acme.route(`/permission-sets?show=${setId}`);
    await page.getByTestId('edit-set').click();
    await acme.heading(say('access:editor.editNamed', { name: names.set })).waitFor();
    await page.getByText(say('access:editor.affects', { count: 1 })).waitFor();
    await page.getByTestId('allow-tasks-use').check();
    await page.getByTestId('allow-detections-read').check();
    await page.getByTestId('show-deny').click();
    await page.getByTestId('deny-enrolment-write').check();
    await page.getByTestId('save-set').click();
    await page.waitForURL(/\/permission-sets\?show=/);
    const row = acme.panel.locator('.sk-rights tbody tr').filter({ hasText: say('access:functionality.enrolment') });
    await row.getByText(say('access:denyLevel.write')).waitFor();
    await helper.go('/');
    await helper.heading(helper.say('detections:title')).waitFor();
    assert.deepEqual(await menu(helper), ['detections', 'quarantine', 'tasks'].map((key) => helper.say(`menu.${key}`)));
    await helper.route('/tasks');
    await helper.rows.first().waitFor();
    assert.equal(await helper.page.getByTestId('new-task').count(), 0);
  });

  runner.test('two administrators at once: the second is told to look again, and can', async () => {
    const { acme } = world;
    const { page, say } = acme;
    await openUser(acme, names.helper);
    const id = new URL(page.url()).searchParams.get('show');
    stage.tolerate(409, `/api/v1/users/${id}`);
    await page.getByTestId('edit-user').click();
    await page.getByTestId('user-display_name').fill('Mine');
    const { body: user } = await acme.api(`/api/v1/users/${id}`);
    const status = await page.evaluate(
      async ([path, token, change]) => (await fetch(path, { method: 'PUT', headers: { Authorization: token, 'Content-Type': 'application/json' }, body: JSON.stringify(change) })).status,
      [`/api/v1/users/${id}`, acme.token, { display_name: 'Theirs', email: user.email, language: user.language, set_ids: user.sets.map((set) => set.id), enabled: user.enabled, two_factor_required: user.two_factor_required, revision: user.revision }],
    );
    assert.equal(status, 200);
    const save = acme.dialog.getByRole('button', { name: say('action.save'), exact: true });
    await save.click();
    await acme.dialog.getByText('It was changed in the meantime').waitFor();
    await acme.dialog.getByRole('button', { name: say('users:edit.newest') }).click();
    await eventually('the newest', async () => (await page.getByTestId('user-display_name').inputValue()) === 'Theirs');
    await page.getByTestId('user-display_name').fill('Ours');
    await save.click();
    await acme.dialog.waitFor({ state: 'detached' });
    await eventually('the change', async () => (await acme.facts(acme.panel))[say('users:fact.displayName')] === 'Ours');
  });

  runner.test('the own account and built-in sets: explained instead of refused', async () => {
    const { acme } = world;
    const { page, say } = acme;
    await openUser(acme, stage.demo.tenants.acme.admin_user.split('/').pop());
    await acme.panel.getByText(say('users:own.title')).waitFor();
    await page.getByTestId('user-actions').click();
    for (const action of ['disable', 'remove', 'password']) assert.equal(await page.locator(`[data-action=${action}]`).count(), 0, action);
    await page.keyboard.press('Escape');
    await page.getByTestId('edit-user').click();
    await acme.dialog.getByText(say('users:own.sets')).waitFor();
    assert.ok(await page.getByTestId('user-sets').getByRole('checkbox').first().isDisabled());
    await page.keyboard.press('Escape');
    await acme.dialog.waitFor({ state: 'detached' });
    await acme.route('/permission-sets');
    await acme.heading(say('access:sets.title')).waitFor();
    await page.getByRole('button', { name: say('codes:permission_set.reviewer'), exact: true }).click();
    await acme.panel.getByText(say('access:panel.builtIn')).waitFor();
    assert.equal(await page.getByTestId('edit-set').count(), 0);
    await acme.route(`/permission-sets?show=${setId}`);
    await acme.panel.getByText(names.set).first().waitFor();
    await page.getByTestId('set-actions').click();
    await page.locator('[data-action=remove]').click();
    await acme.dialog.getByText(say('access:remove.used', { count: 1, number: 1 })).waitFor();
    assert.ok(await acme.dialog.getByRole('button', { name: say('access:panel.remove'), exact: true }).isDisabled());
    await page.keyboard.press('Escape');
    await acme.dialog.waitFor({ state: 'detached' });
  });

  runner.test('a second factor: set up from the own menu, recovery codes shown once', async () => {
    const { page, say } = helper;
    stage.tolerate(401, '/api/v1/me/two-factor/confirm');
    await page.getByTestId('user-menu').click();
    await page.getByTestId('menu-second-factor').click();
    await page.getByTestId('factor-password').fill(PASSWORD);
    await page.getByTestId('factor-submit').click();
    await page.getByTestId('qr-code').waitFor();
    secret[names.helper] = (await page.getByTestId('factor-secret').innerText()).replace(/\s/g, '');
    assert.deepEqual(await helper.axe('second-factor'), []);
    await page.getByTestId('factor-code').fill(totp(secret[names.helper]));
    await page.getByTestId('factor-confirm').click();
    const codes = (await page.getByTestId('recovery-codes').innerText()).trim().split(/\s+/);
    assert.ok(codes.length >= 8 && new Set(codes).size === codes.length, codes.join());
    assert.deepEqual(await helper.axe('recovery-codes'), []);
    const [saved] = await Promise.all([page.waitForEvent('download'), page.getByTestId('download-codes').click()]);
    const file = readFileSync(await saved.path(), 'utf8');
    for (const code of codes) assert.ok(file.includes(code));
    secret.recovery = codes[0];
    await page.getByTestId('factor-done').click();
    await helper.heading(say('tasks:title')).waitFor();
    const { body } = await helper.api('/api/v1/me');
    assert.equal(body.two_factor, true);
  });

  runner.test('signing in asks for the code: wrong, right, and a recovery code once', async () => {
    const { page, say } = helper;
    stage.tolerate(401, '/api/v1/sign-in');
    const signOut = async () => {
      await page.getByTestId('user-menu').click();
      await page.getByTestId('menu-sign-out').click();
      await page.waitForURL(/\/sign-in/);
    };
    const code = async (text) => {
      await page.getByTestId('sign-in-code').fill(text);
      await page.getByTestId('sign-in-submit').click();
    };
    await signOut();
    await helper.signIn(`acme/${names.helper}`, PASSWORD);
    await page.getByTestId('sign-in-code').waitFor();
    const stored = await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }) + location.href);
    assert.ok(!stored.includes(PASSWORD), 'the password was stored');
    assert.deepEqual(await helper.axe('sign-in-code'), []);
    await code('000000');
    await page.locator('[id$=code-help]').getByText('The code of the second factor is wrong').waitFor();
    await nextStep(); // the code that confirmed the set-up is used up
    await code(totp(secret[names.helper]));
    await helper.heading(say('detections:title')).waitFor();
    await signOut();
    await helper.signIn(`acme/${names.helper}`, PASSWORD);
    await code(secret.recovery);
    await helper.heading(say('detections:title')).waitFor();
    await signOut();
    await helper.signIn(`acme/${names.helper}`, PASSWORD);
    await code(secret.recovery);
    await page.locator('[id$=code-help]').getByText('The code of the second factor is wrong').waitFor();
    await page.getByText(say('session:signIn.other')).click();
    await page.getByTestId('sign-in-password').waitFor();
  }, { seconds: 150 });

  runner.test('in Japanese: a user who must have a second factor is led to it, in the administrator’s and the user’s console', async () => {
    const { acme } = world;
    await acme.page.getByTestId('language-ja').click();
    acme.speak('ja');
    await makeUser(acme, names.strict, '夜間 担当', acme.say('codes:permission_set.reviewer'), { required: true });
    assert.equal((await acme.facts(acme.panel))['2 段階認証'], '設定待ち');
    const strict = await stage.visit('ja', { name: 'strict' });
    const { page, say } = strict;
    for (const path of ['overview', 'live', 'devices']) stage.tolerate(403, `/api/v1/${path}`);
    await strict.go('/sign-in');
    await strict.signIn(`acme/${names.strict}`, first[names.strict]);
    await changePassword(strict, first[names.strict]);
    await page.waitForURL(/\/second-factor/);
    await page.getByText(say('session:factor.begin.required')).waitFor();
    await strict.go('/devices'); // nothing else is open before it
    await page.waitForURL(/\/second-factor\?next=%2Fdevices/);
    assert.deepEqual(await strict.axe('second-factor-required'), []);
    await page.getByTestId('factor-password').fill(PASSWORD);
    await page.getByTestId('factor-submit').click();
    const own = (await page.getByTestId('factor-secret').innerText()).replace(/\s/g, '');
    await page.getByTestId('factor-code').fill(totp(own));
    await page.getByTestId('factor-confirm').click();
    await page.getByTestId('recovery-codes').waitFor();
    await page.getByTestId('factor-done').click();
    await strict.heading(say('devices:title')).waitFor();
    assert.equal(await page.locator('tr[data-row] .sk-tick').count(), 0); // a reviewer has nothing to do with a selection
    await strict.context.close();
    await acme.page.getByTestId('language-en').click();
    acme.speak('en');
  });

  runner.test('an administrator takes the lost second factor away, ends sessions and disables the user', async () => {
    const { acme } = world;
    const { page, say } = acme;
    await openUser(acme, names.helper);
    const act = async (action, confirm, dialog) => {
      await page.getByTestId('user-actions').click();
      await page.locator(`[data-action=${action}]`).click();
      await acme.dialog.getByRole('button', { name: say(confirm), exact: true }).click();
      if (dialog) return;
      await acme.dialog.waitFor({ state: 'detached' });
    };
    await act('factor', 'users:factor.confirm');
    await eventually('no second factor', async () => (await acme.facts(acme.panel))[say('users:fact.secondFactor')] === say('users:secondFactor.off'));
    await helper.page.reload();
    await helper.signIn(`acme/${names.helper}`, PASSWORD);
    await helper.heading(helper.say('detections:title')).waitFor();
    for (const path of ['live', 'session/refresh', 'detections', 'me', 'overview', 'tasks', 'quarantine']) stage.tolerate(401, `/api/v1/${path}`);
    await act('disable', 'users:action.disable');
    await eventually('disabled', async () => (await acme.facts(acme.panel))[say('users:fact.state')] === say('users:condition.disabled'));
    await helper.page.waitForURL(/\/sign-in/, { timeout: 30_000 });
    await helper.signIn(`acme/${names.helper}`, PASSWORD);
    await helper.page.locator('[data-testid=sign-in-error][data-code=sign_in_failed]').waitFor();
    await act('enable', 'users:action.enable');
    await act('password', 'users:password.confirm', true);
    const again = (await page.getByTestId('first-password').innerText()).trim();
    assert.notEqual(again, first[names.helper]);
    await page.getByTestId('first-password-done').click();
  });

  runner.test('the audit tells who did what, with changes, filters in the address and the object’s menu', async () => {
    const { acme } = world;
    const { page, say } = acme;
    await acme.route('/audit');
    await acme.heading(say('audit:title')).waitFor();
    await acme.rows.first().waitFor();
    await page.getByLabel(say('audit:filter.domain'), { exact: true }).selectOption('permission_set');
    await page.waitForURL(/domain=permission_set/);
    await page.getByLabel(say('audit:filter.action'), { exact: true }).selectOption('permission_set.update');
    await page.waitForURL(/action=permission_set.update/);
    const row = acme.rows.filter({ hasText: names.set }).first();
    await row.waitFor();
    await row.locator('.sk-open').click();
    await acme.panel.locator('.sk-changes tbody tr').first().waitFor();
    await acme.panel.locator('.sk-hash').filter({ hasText: /[0-9a-f]{64}/ }).first().waitFor();
    await page.reload(); // the finding can be sent to a colleague
    await acme.panel.locator('.sk-changes tbody tr').first().waitFor();
    await page.keyboard.press('Escape');
    await openUser(acme, names.helper);
    await page.getByTestId('user-actions').click();
    await page.locator('[data-action=audit]').click();
    await page.waitForURL(/\/audit\?object=/);
    const seen = async (action) => acme.rows.getByText(say(`audit:action.${action}`), { exact: true }).first().waitFor();
    for (const action of ['user.create', 'user.two_factor_reset', 'user.update', 'user.password_reset']) await seen(action);
    await page.locator('.sk-chips').getByText(names.helper).waitFor();
    await openUser(acme, names.helper);
    await page.getByTestId('user-actions').click();
    await page.locator('[data-action=audit-person]').click();
    await page.waitForURL(/\/audit\?user=/);
    for (const action of ['user.password_change', 'user.two_factor_begin', 'task.create']) await seen(action);
    await acme.route('/audit?result=denied');
    await acme.rows.getByText(say('audit:refused.session.sign_in')).first().waitFor();
    assert.deepEqual(await acme.axe('audit'), []);
    const { body } = await acme.api('/api/v1/devices?limit=1');
    await acme.route(`/devices/${body.items[0].id}`);
    await page.getByTestId('device-actions').click();
    await page.locator('[data-action=audit]').click();
    await page.waitForURL(new RegExp(`/audit\\?object=${body.items[0].id}`));
  });

  runner.test('the proof is a signed statement that can be checked elsewhere', async () => {
    const { acme } = world;
    const { page } = acme;
    await acme.route('/audit');
    await page.getByTestId('audit-proof').click();
    await page.getByTestId('audit-head').waitFor();
    assert.deepEqual(await acme.axe('audit-proof'), []);
    const [saved] = await Promise.all([page.waitForEvent('download'), page.getByTestId('download-head').click()]);
    assert.match(saved.suggestedFilename(), /^sekisho-audit-acme-\d+\.json$/);
    const head = JSON.parse(readFileSync(await saved.path(), 'utf8'));
    const key = createPublicKey({ key: Buffer.from(ED25519_PREFIX + head.public_key, 'hex'), format: 'der', type: 'spki' });
    assert.ok(verify(null, Buffer.from(head.statement), key, Buffer.from(head.signature, 'hex')), 'the signature does not fit');
    for (const part of [head.hash, String(head.sequence)]) assert.ok(head.statement.includes(part), head.statement);
    await page.keyboard.press('Escape');
    await acme.dialog.waitFor({ state: 'detached' });
  });

  runner.test('both users are deleted, the set after them', async () => {
    const { acme } = world;
    const { page, say } = acme;
    for (const name of [names.helper, names.strict]) {
      await openUser(acme, name);
      await page.getByTestId('user-actions').click();
      await page.locator('[data-action=remove]').click();
      await acme.dialog.getByRole('button', { name: say('users:action.remove'), exact: true }).click();
      await acme.dialog.waitFor({ state: 'detached' });
      await acme.panel.waitFor({ state: 'detached' });
    }
    await acme.route(`/permission-sets?show=${setId}`);
    await acme.panel.getByText(names.set).first().waitFor();
    await page.getByTestId('set-actions').click();
    await page.locator('[data-action=remove]').click();
    await acme.dialog.getByRole('button', { name: say('access:panel.remove'), exact: true }).click();
    await acme.dialog.waitFor({ state: 'detached' });
    await acme.panel.waitFor({ state: 'detached' });
    assert.equal(await acme.rows.filter({ hasText: names.set }).count(), 0);
    await helper.context.close();
  });

  runner.test('a plan without users and audit: no menu, and the address says why', async () => {
    const { kaede } = world;
    const { body } = await kaede.api('/api/v1/me');
    if (body.entitlements.includes('multi_user')) return runner.note('this company’s plan includes them');
    const { page, say } = kaede;
    assert.ok(!(await menu(kaede)).includes(say('menu.users')));
    await kaede.route('/users');
    await page.getByText(say('failure.lacking.plan_lacks', { right: say('access:entitlement.multi_user') })).waitFor();
    await kaede.route('/audit');
    await page.getByText(say('failure.lacking.plan_lacks', { right: say('access:entitlement.audit_screen') })).waitFor();
    assert.equal((await kaede.api('/api/v1/users')).body.code, 'plan_lacks');
    await kaede.route('/overview');
    return undefined;
  });
}
