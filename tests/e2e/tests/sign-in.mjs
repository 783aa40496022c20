// SPDX-License-Identifier: Apache-2.0
// Coming in, staying and leaving, in both languages.
import assert from 'node:assert/strict';

/** The passwords that the tests choose. */
export const OWN = { acme: 'correct horse battery', kaede: '正しい馬とバッテリーと留め金' };
const WRONG = { en: 'The name or the password is wrong.', ja: '名前またはパスワードが違います。' };

/** Wrong password, first sign-in with a forced change of the password, overview. */
async function comeIn(stage, visitor, company, language) {
  const { page, say } = visitor;
  const { admin_user: user, password } = stage.demo.tenants[company];
  stage.tolerate(401, '/api/v1/sign-in');
  await visitor.go('/detections?severity=critical');
  await page.waitForURL(/\/sign-in\?next=/);
  await visitor.heading(say('session:signIn.title')).waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.lang), language);
  await visitor.signIn(user, 'this is not it');
  const refusal = page.getByTestId('sign-in-error');
  await refusal.waitFor();
  assert.equal(await refusal.getAttribute('data-code'), 'sign_in_failed');
  assert.ok((await refusal.innerText()).includes(WRONG[language]), await refusal.innerText());

  await visitor.signIn(user, password);
  await page.waitForURL(/\/password/);
  await page.getByText(say('session:password.required')).waitFor();
  await visitor.go('/devices'); // nothing else is open before the change
  await page.waitForURL(/\/password\?next=%2Fdevices/);
  const fill = async (current, next, again) => {
    await page.getByTestId('password-current').fill(current);
    await page.getByTestId('password-next').fill(next);
    await page.getByTestId('password-again').fill(again);
    await page.getByTestId('password-submit').click();
  };
  await fill(password, 'short', 'short');
  await page.getByText(say('session:password.short', { count: 12 })).waitFor();
  await fill(password, OWN[company], `${OWN[company]}?`);
  await page.getByText(say('session:password.differs')).waitFor();
  await fill(password, OWN[company], OWN[company]);
  await page.waitForURL(/\/devices/);
  await visitor.rows.first().waitFor();
  await page.getByRole('link', { name: say('menu.overview'), exact: true }).click();
  await visitor.heading(say('overview:title')).waitFor();
  await page.getByTestId('figure-ok').waitFor();
}

export function signIn(runner, stage, world) {
  runner.test('acme in English: wrong password, forced change of the password, overview', async () => {
    world.acme = await stage.visit('en', { name: 'acme' });
    await comeIn(stage, world.acme, 'acme', 'en');
    assert.equal(await world.acme.page.getByTestId('tenant-name').innerText(), 'Acme Works');
  }, { needed: true });

  runner.test('kaede in Japanese: wrong password, forced change of the password, overview', async () => {
    world.kaede = await stage.visit('ja', { name: 'kaede' });
    await comeIn(stage, world.kaede, 'kaede', 'ja');
    assert.equal(await world.kaede.page.getByTestId('tenant-name').innerText(), '楓製作所株式会社');
  }, { needed: true });

  runner.test('a reload keeps the session, and no token is stored where scripts can read it', async () => {
    const { page } = world.acme;
    await page.reload();
    await world.acme.heading(world.acme.say('overview:title')).waitFor();
    const stored = await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }) + document.cookie);
    assert.doesNotMatch(stored, /eyJ|[0-9a-zA-Z_-]{40}/);
    const [cookie] = await world.acme.context.cookies();
    assert.ok(cookie.httpOnly && cookie.secure && cookie.sameSite === 'Strict', JSON.stringify(cookie));
  });

  runner.test('the list of sessions ends another one at once; signing out', async () => {
    const other = await stage.visit('en', { name: 'acme-2' });
    const { page, say } = world.acme;
    await other.go('/sign-in');
    await other.signIn(stage.demo.tenants.acme.admin_user, OWN.acme);
    await other.heading(say('overview:title')).waitFor();
    await other.live();
    for (const path of ['live', 'session/refresh', 'overview', 'detections', 'me']) stage.tolerate(401, `/api/v1/${path}`);
    await page.getByTestId('user-menu').click();
    await page.getByTestId('menu-sessions').click();
    await world.acme.heading(say('session:sessions.title')).waitFor();
    await page.getByText(say('session:sessions.current')).waitFor();
    const ends = page.getByRole('button', { name: new RegExp(`^${say('session:sessions.endNamed', { name: '' }).trim()}`) });
    assert.ok((await ends.count()) >= 1);
    // Newest first or not: the one that is not ours and was signed in last is the other visitor's.
    const began = Date.now();
    for (let left = await ends.count(); left > 0; left -= 1) {
      await ends.first().click();
      await page.waitForFunction(([selector, count]) => document.querySelectorAll(selector).length === count, ['tr[data-row]', left]);
    }
    await other.page.waitForURL(/\/sign-in/);
    runner.note(`the ended session was out after ${Date.now() - began} ms`);
    await other.page.getByText(say('session:signIn.reason.ended')).waitFor();

    await other.signIn(stage.demo.tenants.acme.admin_user, OWN.acme);
    await other.heading(say('overview:title')).waitFor();
    await other.page.getByTestId('user-menu').click();
    await other.page.getByTestId('menu-sign-out').click();
    await other.page.waitForURL(/\/sign-in$/);
    await other.go('/devices');
    await other.page.waitForURL(/\/sign-in\?next=%2Fdevices/);
    assert.deepEqual(await other.context.cookies(), []);
    await other.context.close();
  });
}
