// SPDX-License-Identifier: Apache-2.0
// Walks through the console on the development server with a real browser: screenshots into shots/, and a failure for any
// console error, policy violation or accessibility violation. Usage: npm run fake & npm run shots -- [name part]
import { mkdirSync } from 'node:fs';
import { AxeBuilder } from '@axe-core/playwright';
import { chromium } from 'playwright-core';

const BASE = process.env.SEKISHO_CONSOLE ?? 'http://localhost:8444';
const OUT = process.env.SEKISHO_SHOTS ?? new URL('../shots', import.meta.url).pathname;
const WIDTH = Number(process.env.SEKISHO_WIDTH ?? 1440);
const only = process.argv[2] ?? '';
mkdirSync(OUT, { recursive: true });

const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run'];
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: FLAGS });
const complaints = {
  count: 0,
  push(text) {
    this.count += 1;
    console.error(text); // at once: a run can take minutes
  },
};

async function open(language, theme, tenant, user = 'admin') {
  const context = await browser.newContext({ viewport: { width: WIDTH, height: 860 }, locale: language === 'ja' ? 'ja-JP' : 'en-GB', timezoneId: 'Asia/Tokyo', bypassCSP: false });
  await context.addInitScript(([lang, look]) => {
    localStorage.setItem('sekisho.language', lang);
    localStorage.setItem('sekisho.theme', look);
  }, [language, theme]);
  const page = await context.newPage();
  page.on('console', (message) => {
    // A refused request is always written to the log by the browser itself; one is made on purpose here.
    if (message.type() === 'error' && !/status of 409/.test(message.text())) complaints.push(`${page.url()}: ${message.text()}`);
  });
  page.on('pageerror', (error) => complaints.push(`${page.url()}: ${error.message}`));
  page.setDefaultTimeout(30_000);
  await page.goto(`${BASE}/sign-in`);
  await page.getByTestId('sign-in-name').fill(`${tenant}/${user}`);
  await page.getByTestId('sign-in-password').fill('a long passphrase');
  return { page, context };
}

async function shoot(page, name, look) {
  const file = `${name}-${look}`;
  await page.waitForTimeout(450);
  await page.screenshot({ path: `${OUT}/${file}.png` });
  const axe = await new AxeBuilder({ page }).withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']).analyze();
  for (const violation of axe.violations) {
    const nodes = violation.nodes.slice(0, 3).map((node) => node.target.join(' ')).join(' ; ');
    complaints.push(`axe ${file}: ${violation.id} (${violation.nodes.length}) ${nodes}`);
  }
}

const STEPS = {
  async overview(page) {
    await page.goto(`${BASE}/overview`);
    await page.getByTestId('day-chart').waitFor();
  },
  async devices(page) {
    await page.goto(`${BASE}/devices`);
    await page.locator('tr[data-row]').first().waitFor();
  },
  async 'devices-filtered'(page) {
    await page.goto(`${BASE}/devices?problems_only=true&os=windows`);
    await page.locator('tr[data-row]').first().waitFor();
    await page.locator('tr[data-row] input').nth(1).check();
    await page.locator('tr[data-row] input').nth(2).check();
    await page.getByTestId('selection-more').click();
  },
  async 'device-panel'(page) {
    await page.goto(`${BASE}/devices?search=demo`);
    await page.locator('tr[data-row] .sk-open').first().click();
    await page.locator('.sk-facts').first().waitFor();
  },
  async isolate(page) {
    await page.getByTestId('device-actions').click();
    await page.locator('[data-action=isolate]').click();
    await page.getByRole('dialog').waitFor();
  },
  async 'device-hardware'(page) {
    await page.goto(`${BASE}/devices?sort=problems&direction=desc`);
    await page.locator('tr[data-row] .sk-open').first().click();
    await page.getByTestId('open-full-page').click();
    await page.locator('.sk-crumbs').waitFor();
    await page.locator('[data-tab=hardware]').click();
    await page.locator('.sk-plain-table').first().waitFor();
  },
  async 'device-problems'(page) {
    await page.locator('[data-tab=problems]').click();
    await page.locator('.sk-problems').waitFor();
  },
  async 'device-software'(page) {
    await page.locator('[data-tab=software]').click();
    await page.locator('.sk-tab-panel tr[data-row]').first().waitFor();
  },
  async 'device-tasks'(page) {
    await page.goto(`${BASE}/devices?search=demo`);
    await page.locator('tr[data-row] .sk-open').first().click();
    await page.locator('[data-tab=tasks]').click();
    await page.locator('.sk-tab-panel tr[data-row]').first().waitFor();
  },
  async detections(page) {
    await page.goto(`${BASE}/detections`);
    await page.locator('tr[data-row]').first().waitFor();
  },
  async 'detection-panel'(page) {
    await page.goto(`${BASE}/detections?resolved=false`);
    await page.locator('tr[data-row] .sk-open').nth(2).click();
    await page.locator('.sk-facts').first().waitFor();
  },
  async quarantine(page) {
    await page.goto(`${BASE}/quarantine`);
    await page.locator('tr[data-row]').first().waitFor();
  },
  async tasks(page) {
    await page.goto(`${BASE}/tasks`);
    await page.locator('tr[data-row]').first().waitFor();
  },
  async task(page) {
    await page.locator('tr[data-row] a').first().click();
    await page.locator('.sk-summary').waitFor();
    await page.locator('tr[data-row]').first().waitFor();
  },
  async executions(page) {
    await page.goto(`${BASE}/tasks/executions`);
    await page.locator('tr[data-row]').first().waitFor();
  },
  async enrolment(page) {
    await page.goto(`${BASE}/enrolment`);
    await page.locator('tr[data-row]').first().waitFor();
  },
  async 'enrolment-create'(page) {
    await page.getByTestId('new-token').first().click();
    await page.getByTestId('token-name').fill(`Shots ${Date.now()}`);
  },
  async 'enrolment-secret'(page) {
    await page.getByRole('dialog').locator('.pf-m-primary').click();
    await page.getByTestId('token-secret').waitFor();
  },
  async sessions(page) {
    await page.goto(`${BASE}/sessions`);
    await page.locator('tr[data-row]').first().waitFor();
    await page.getByTestId('user-menu').click();
  },
  async users(page) {
    await page.goto(`${BASE}/users`);
    await page.locator('tr[data-row]').first().waitFor();
  },
  async 'user-panel'(page) {
    await page.locator('tr[data-row] .sk-open').nth(6).click();
    await page.locator('.sk-facts').first().waitFor();
  },
  async 'user-own'(page) {
    await page.goto(`${BASE}/users?search=admin`);
    await page.locator('tr[data-row] .sk-open').first().click();
    await page.getByTestId('edit-user').click();
    await page.getByTestId('user-sets').locator('input').first().waitFor();
  },
  async 'user-create'(page) {
    await page.goto(`${BASE}/users`);
    await page.getByTestId('new-user').click();
    await page.getByTestId('user-name').fill('admin');
    await page.getByTestId('user-display_name').fill('Shots');
    await page.getByTestId('user-sets').locator('input').nth(1).check();
    await page.getByRole('dialog').locator('.pf-m-primary').click();
    await page.locator('[role=dialog] .pf-m-error').first().waitFor();
  },
  async 'user-password'(page) {
    await page.getByTestId('user-name').fill(`shots${Date.now()}`);
    await page.getByRole('dialog').locator('.pf-m-primary').click();
    await page.getByTestId('first-password').waitFor();
  },
  async sets(page) {
    await page.goto(`${BASE}/permission-sets`);
    await page.locator('tr[data-row]').first().waitFor();
  },
  async 'set-panel'(page) {
    await page.locator('tr[data-row] .sk-open').nth(6).click();
    await page.locator('.sk-rights').waitFor();
  },
  async 'set-editor'(page) {
    await page.getByTestId('edit-set').click();
    await page.getByTestId('matrix-allow').waitFor();
    await page.getByTestId('set-groups').locator('li').first().waitFor();
  },
  async 'set-editor-below'(page) {
    await page.getByTestId('matrix-deny').scrollIntoViewIfNeeded();
  },
  async audit(page) {
    await page.goto(`${BASE}/audit`);
    await page.locator('tr[data-row]').first().waitFor();
  },
  async 'audit-panel'(page) {
    await page.goto(`${BASE}/audit?action=permission_set.update&from=2026-01-01T00:00:00Z`);
    await page.locator('tr[data-row] .sk-open').first().click();
    await page.locator('.sk-changes').waitFor();
  },
  async 'audit-proof'(page) {
    await page.getByTestId('audit-proof').click();
    await page.getByTestId('audit-head').waitFor();
  },
  async 'new-task'(page) {
    await page.goto(`${BASE}/tasks`);
    await page.getByTestId('new-task').click();
    await page.getByTestId('targets').locator('input').nth(1).check();
  },
  async 'second-factor'(page) {
    await page.goto(`${BASE}/second-factor`);
    await page.getByTestId('factor-password').fill('a long passphrase');
  },
  async 'second-factor-scan'(page) {
    await page.getByTestId('factor-submit').click();
    await page.getByTestId('qr-code').waitFor();
  },
  async 'not-found'(page) {
    await page.goto(`${BASE}/no/such/page`);
    await page.locator('h1').waitFor();
  },
  async folded(page) {
    await page.goto(`${BASE}/devices`);
    await page.getByTestId('menu-toggle').click();
    await page.locator('tr[data-row]').first().waitFor();
  },
};

for (const [language, theme, tenant] of [['en', 'light', 'acme'], ['ja', 'dark', 'kaede'], ['ja', 'light', 'kaede'], ['en', 'dark', 'acme']]) {
  const look = `${language}-${theme}`;
  if (only && ![...Object.keys(STEPS), 'sign-in', 'password'].some((name) => `${name}-${look}`.includes(only))) continue;
  const { page, context } = await open(language, theme, tenant);
  if ('sign-in'.includes(only) || !only || only === look) await shoot(page, 'sign-in', look);
  await page.getByTestId('sign-in-submit').click();
  await page.getByTestId('user-menu').waitFor();
  for (const [name, step] of Object.entries(STEPS)) {
    if (only && !`${name}-${look}`.includes(only)) continue;
    try {
      await step(page);
      await shoot(page, name, look);
    } catch (error) {
      complaints.push(`${name}-${look}: ${error.message.split('\n')[0]}`);
      await page.screenshot({ path: `${OUT}/failed-${name}-${look}.png` });
    }
  }
  await context.close();
  if (!only || 'lacking'.includes(only) || only === look) {
    const tasks = await open(language, theme, tenant, 'tasks');
    await tasks.page.getByTestId('sign-in-submit').click();
    await tasks.page.locator('tr[data-row]').first().waitFor();
    await shoot(tasks.page, 'tasks-only', look);
    await tasks.page.goto(`${BASE}/users`);
    await tasks.page.getByTestId('lacking').waitFor();
    await shoot(tasks.page, 'lacking', look);
    await tasks.context.close();
  }
  const forced = await open(language, theme, tenant, 'fresh');
  await forced.page.getByTestId('sign-in-submit').click();
  await forced.page.getByTestId('password-submit').click();
  await shoot(forced.page, 'password', look);
  await forced.context.close();
}
await browser.close();
console.log(`${complaints.count} complaints`);
process.exit(complaints.count > 0 ? 1 : 0);
