// SPDX-License-Identifier: Apache-2.0
// Behaviour of the built console against the development server: session, live updates, paging, languages.
// Usage: npm run build && SEKISHO_FAKE_TOKEN_LIFE=20 npm run fake & SEKISHO_FAKE_TOKEN_LIFE=20 node dev/check.mjs
import assert from 'node:assert/strict';
import { chromium } from 'playwright-core';

const BASE = process.env.SEKISHO_CONSOLE ?? 'http://localhost:8444';
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run'];
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: FLAGS });
const context = await browser.newContext({ viewport: { width: 1440, height: 860 }, locale: 'en-GB' });
const errors = [];
const SOON = Number(process.env.SEKISHO_SOON_MS ?? 1_000); // more on a busy machine
const LIFE = Number(process.env.SEKISHO_FAKE_TOKEN_LIFE ?? 20);

function watch(page) {
  page.setDefaultTimeout(30_000);
  page.on('pageerror', (error) => errors.push(error.message));
  page.on('console', (message) => {
    // A refused request is always written to the log by the browser itself; those are made on purpose here.
    if (message.type() === 'error' && !/status of (401|403|409|422|429)/.test(message.text())) errors.push(message.text());
  });
  return page;
}

const page = watch(await context.newPage());
const rows = page.locator('tr[data-row]');
const signIn = async (name, password) => {
  await page.getByTestId('sign-in-name').fill(name);
  await page.getByTestId('sign-in-password').fill(password);
  await page.getByTestId('sign-in-submit').click();
};
const newDetection = async () => (await (await fetch(`${BASE}/api/dev/detection`, { method: 'POST' })).json()).id;

const checks = {
  async 'a deep link leads to sign-in and back'() {
    await page.goto(`${BASE}/detections?severity=critical`);
    await page.waitForURL(/\/sign-in\?next=/);
    await signIn('acme/admin', 'wrong');
    await page.getByTestId('sign-in-error').waitFor();
    assert.equal(await page.getByTestId('sign-in-error').getAttribute('data-code'), 'sign_in_failed');
    await signIn('closed/x', 'secret');
    await page.locator('[data-code=tenant_suspended]').waitFor();
    await signIn('acme/admin', 'a long passphrase');
    await page.waitForURL(/\/detections\?severity=critical/);
    await rows.first().waitFor();
  },
  async 'a reload keeps the session'() {
    await page.reload();
    await rows.first().waitFor();
    assert.match(page.url(), /detections\?severity=critical/);
  },
  async 'no token is stored'() {
    const stored = await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }));
    assert.doesNotMatch(stored, /[0-9a-f]{40}/);
    assert.equal(await page.evaluate(() => document.cookie), '');
  },
  async 'a new detection appears within a second, keeping scroll and selection'() {
    await page.goto(`${BASE}/detections`);
    await rows.first().waitFor();
    await page.locator('[data-state=open]').waitFor();
    const frame = page.locator('.sk-table-frame');
    const second = await rows.nth(1).getAttribute('data-row');
    await rows.nth(1).locator('input').check();
    await frame.evaluate((element) => { element.scrollTop = 400; });
    await page.waitForTimeout(1_200);
    const before = await frame.evaluate((element) => [...element.querySelectorAll('tr[data-row]')].map((row) => [row.dataset.row, row.getBoundingClientRect().top]).find(([, top]) => top > 300));
    const id = await newDetection();
    const began = Date.now();
    await page.locator(`tr[data-row="${id}"]`).waitFor({ state: 'attached' });
    const took = Date.now() - began;
    assert.ok(took < SOON, `took ${took} ms`);
    await page.waitForTimeout(100);
    const after = await page.locator(`tr[data-row="${before[0]}"]`).evaluate((row) => row.getBoundingClientRect().top);
    assert.ok(Math.abs(after - before[1]) < 2, `moved by ${after - before[1]} px`);
    assert.ok(await page.locator(`tr[data-row="${second}"] input`).isChecked());
    console.log(`    appeared after ${took} ms`);
    await page.waitForFunction(() => /new detection/.test(document.getElementById('announcer')?.textContent ?? ''));
  },
  async 'both languages without a reload'() {
    await page.evaluate(() => { window.marker = 1; });
    await page.getByTestId('language-ja').click();
    await page.getByRole('heading', { level: 1, name: '検出' }).waitFor();
    assert.equal(await page.evaluate(() => document.documentElement.lang), 'ja');
    await page.getByTestId('language-en').click();
    await page.getByRole('heading', { level: 1, name: 'Detections' }).waitFor();
    assert.equal(await page.evaluate(() => window.marker), 1);
  },
  async 'pages forward, back and first'() {
    await page.goto(`${BASE}/devices?limit=25`);
    await rows.first().waitFor();
    const first = await rows.first().getAttribute('data-row');
    await page.getByRole('button', { name: 'Next page' }).click();
    await page.getByTestId('pager-range').filter({ hasText: '26–50 of 200' }).waitFor();
    await page.reload();
    await page.getByTestId('pager-range').filter({ hasText: '26–50 of 200' }).waitFor();
    await page.getByRole('button', { name: 'Previous page' }).click();
    await page.getByTestId('pager-range').filter({ hasText: '1–25 of 200' }).waitFor();
    await page.locator('.sk-stale').waitFor({ state: 'detached' });
    assert.equal(await rows.first().getAttribute('data-row'), first);
    await page.goto(`${BASE}/devices?cursor=bm9uc2Vuc2U`);
    await page.getByRole('button', { name: 'First page' }).click();
    await rows.first().waitFor();
  },
  async 'filters are chips in the URL'() {
    await page.goto(`${BASE}/devices`);
    await page.getByTestId('problems-only').click();
    await page.getByRole('searchbox').or(page.getByRole('textbox', { name: /Name, description/ })).first().fill('LT');
    await page.waitForURL(/problems_only=true.*search=LT/);
    await page.getByRole('button', { name: 'Remove filter Show' }).click();
    await page.waitForURL((url) => !url.search.includes('problems_only') && url.search.includes('search=LT'));
    await page.goBack();
    await page.waitForURL(/problems_only=true/);
  },
  async 'the keyboard opens, walks and closes details'() {
    await page.goto(`${BASE}/devices`);
    await rows.first().waitFor();
    const name = page.locator('tr[data-row] .sk-open').first();
    await name.focus();
    await page.keyboard.press('Enter');
    const panel = page.getByTestId('side-panel');
    await panel.locator('[role=tab]').first().waitFor();
    assert.equal(await page.evaluate(() => document.activeElement?.tagName), 'H2');
    await panel.locator('[data-tab=overview]').focus();
    await page.keyboard.press('ArrowRight');
    await panel.locator('[data-tab=hardware][aria-selected=true]').waitFor();
    await page.keyboard.press('Escape');
    await panel.waitFor({ state: 'detached' });
    await page.waitForFunction(() => document.activeElement?.classList.contains('sk-open'));
  },
  async 'a scan from a detection: bad target bound to its field, then progress to the end'() {
    await page.goto(`${BASE}/detections?resolved=false`);
    await page.locator('tr[data-row] .sk-open').first().click();
    await page.getByTestId('scan-this-computer').click();
    await page.getByTestId('scan-targets').fill('not/absolute');
    await page.getByRole('button', { name: 'Start scan' }).click();
    await page.getByText('absolute path').first().waitFor();
    await page.getByTestId('scan-targets').fill('/srv/share');
    await page.getByRole('button', { name: 'Start scan' }).click();
    await page.getByRole('link', { name: 'Show progress' }).click();
    await page.getByRole('progressbar').first().waitFor();
    await page.getByTestId('cancel-task').click();
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel task' }).click();
    await page.getByText('Cancelled').first().waitFor();
  },
  async 'a token is made and its secret shown once'() {
    await page.goto(`${BASE}/enrolment`);
    await page.getByTestId('new-token').click();
    await page.getByTestId('token-name').fill('Demo agent');
    await page.getByRole('button', { name: 'Create token' }).click();
    await page.getByText('The name is in use already.').waitFor();
    await page.getByTestId('token-name').fill(`Check ${Date.now()}`);
    await page.getByRole('button', { name: 'Create token' }).click();
    assert.match(await page.getByTestId('install-commands').innerText(), /token = skt_/);
    await page.getByRole('dialog').getByRole('button', { name: 'I have copied it' }).click();
    assert.equal(await page.getByText('skt_').count(), 0);
  },
  async 'two tabs share renewed tokens and end together'() {
    const renewals = [];
    context.on('request', (request) => {
      if (request.url().endsWith('/session/refresh')) renewals.push(Date.now());
    });
    const other = watch(await context.newPage());
    await other.goto(`${BASE}/devices`);
    await other.locator('tr[data-row]').first().waitFor();
    renewals.length = 0;
    await page.goto(`${BASE}/overview`);
    await page.waitForTimeout(LIFE * 1_750);
    console.log(`    ${renewals.length} renewals in ${LIFE * 1.75} s by two tabs`);
    assert.ok(renewals.length >= 1 && renewals.length <= 5);
    await page.getByTestId('figure-unresolved').click();
    await rows.first().waitFor();
    await page.getByTestId('user-menu').click();
    await page.getByTestId('menu-sign-out').click();
    await page.waitForURL(/sign-in$/);
    await other.waitForURL(/sign-in/);
    await other.close();
  },
  async 'a required password change comes first'() {
    await signIn('acme/fresh', 'a long passphrase');
    await page.waitForURL(/\/password/);
    await page.goto(`${BASE}/devices`);
    await page.waitForURL(/\/password\?next=%2Fdevices/);
    await page.getByTestId('password-current').fill('wrong');
    await page.getByTestId('password-next').fill('correct horse battery');
    await page.getByTestId('password-again').fill('correct horse battery');
    await page.getByTestId('password-submit').click();
    await page.getByText('The current password is wrong.').waitFor();
    await page.getByTestId('password-current').fill('right');
    await page.getByTestId('password-submit').click();
    await page.waitForURL(/\/devices/);
    await rows.first().waitFor();
  },
  async 'locked out: until when, and the button waits'() {
    await page.getByTestId('user-menu').click();
    await page.getByTestId('menu-sign-out').click();
    await page.waitForURL(/sign-in$/);
    const name = `acme/nobody${Date.now()}`;
    for (let attempt = 0; attempt < 4; attempt += 1) {
      await signIn(name, 'wrong');
      await page.locator(attempt < 3 ? '[data-code=sign_in_failed]' : '[data-code=sign_in_locked]').waitFor();
    }
    assert.match(await page.getByTestId('sign-in-error').innerText(), /Possible again from .*try again in 1:/s);
    assert.ok(await page.getByTestId('sign-in-submit').isDisabled());
  },
};

let failed = 0;
for (const [name, check] of Object.entries(checks)) {
  try {
    await check();
    console.log(`ok  ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`NO  ${name}\n    ${String(error.message).split('\n').slice(0, 4).join('\n    ')}\n    at ${page.url()}`);
    if (process.env.SEKISHO_SHOTS) await page.screenshot({ path: `${process.env.SEKISHO_SHOTS}/check-${failed}.png` });
  }
}
await browser.close();
for (const error of errors) console.log(`console: ${error}`);
process.exit(failed + errors.length > 0 ? 1 : 0);
