// SPDX-License-Identifier: Apache-2.0
// Chromium before a running demonstration: visitors (one browser profile each, signed in as somebody), what the browser
// complained about, pictures and the accessibility check.
import assert from 'node:assert/strict';
import { createHash, X509Certificate } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import https from 'node:https';
import { createRequire } from 'node:module';
import tls from 'node:tls';
import { texts } from './texts.mjs';

// The console's own packages: nothing further to install.
const require = createRequire(new URL('../../../web/package.json', import.meta.url));
const { chromium } = require('playwright-core');
// The engine itself: its wrapper opens a further page for each check, which takes longer than the check.
const AXE = readFileSync(createRequire(require.resolve('@axe-core/playwright')).resolve('axe-core/axe.min.js'), 'utf8');

const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const STANDARDS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];
const PATIENCE_MS = 20_000;
const OUT = new URL('../../../build/e2e-shots/', import.meta.url).pathname;

/** The browser trusts exactly the key of the demonstration's server; node trusts its root. */
async function serverKey(url, ca) {
  const { hostname, port } = new URL(url);
  const certificate = await new Promise((resolve, reject) => {
    const socket = tls.connect({ host: hostname, port, servername: hostname, ca }, () => {
      resolve(socket.getPeerCertificate().raw);
      socket.end();
    });
    socket.on('error', reject);
  });
  const key = new X509Certificate(certificate).publicKey.export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(key).digest('base64');
}

/** `keep`: the pictures of an earlier run stay. */
export async function openStage(demoFile, { keep = false } = {}) {
  const demo = JSON.parse(readFileSync(demoFile, 'utf8'));
  const ca = readFileSync(demo.ca_file);
  const key = await serverKey(demo.console_url, ca);
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: [...FLAGS, `--ignore-certificate-errors-spki-list=${key}`] });
  if (!keep) rmSync(OUT, { recursive: true, force: true });
  mkdirSync(OUT, { recursive: true });
  const stage = { demo, ca, browser, base: demo.console_url, complaints: [], tolerated: [], visitors: [], out: OUT };
  return Object.assign(stage, {
    /** Refused requests are written to the browser's log by the browser itself; those that a test makes are named here. */
    tolerate: (status, path) => stage.tolerated.push({ status, path }),
    visit: (language, options) => openVisitor(stage, language, options),
    close: () => browser.close(),
  });
}

async function openVisitor(stage, language, { name = language, viewport = { width: 1440, height: 900 } } = {}) {
  const context = await stage.browser.newContext({ viewport, locale: language === 'ja' ? 'ja-JP' : 'en-GB', timezoneId: 'Asia/Tokyo' });
  context.setDefaultTimeout(PATIENCE_MS);
  await context.exposeBinding('reportViolation', (_source, text) => void stage.complaints.push(`${name}: policy violation: ${text}`));
  await context.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (event) => window.reportViolation(`${event.violatedDirective} ${event.blockedURI} at ${location.pathname}`));
  });
  const page = await context.newPage();
  const visitor = new Visitor(stage, context, page, language, name);
  stage.visitors.push(visitor);
  return visitor;
}

class Visitor {
  constructor(stage, context, page, language, name) {
    Object.assign(this, { stage, context, page, name, say: texts(language), token: null });
    page.on('pageerror', (error) => stage.complaints.push(`${name}: ${page.url()}: ${error.message}`));
    page.on('console', (message) => {
      if (message.type() !== 'error') return;
      const { url } = message.location();
      const status = Number(/status of (\d+)/.exec(message.text())?.[1]);
      const known = stage.tolerated.some((one) => one.status === status && new URL(url || stage.base).pathname === one.path);
      if (!known) stage.complaints.push(`${name}: ${page.url()}: ${message.text()} (${url})`);
    });
    page.on('request', (request) => {
      const bearer = request.headers().authorization;
      if (bearer) this.token = bearer;
    });
  }

  /** The language of the texts that the test looks for. */
  speak(language) {
    this.say = texts(language);
  }

  /** A new load of the page. */
  async go(path) {
    await this.page.goto(this.stage.base + path);
  }

  /** To another page of the console without a load, as its links do. */
  async route(path) {
    await this.page.evaluate((to) => {
      history.pushState(null, '', to);
      dispatchEvent(new PopStateEvent('popstate', { state: null }));
    }, path);
    await this.page.waitForURL(this.stage.base + path);
  }

  get rows() {
    return this.page.locator('tr[data-row]');
  }

  get panel() {
    return this.page.getByTestId('side-panel');
  }

  get dialog() {
    return this.page.getByRole('dialog');
  }

  heading(text) {
    return this.page.getByRole('heading', { level: 1, name: text, exact: true });
  }

  button(text) {
    return this.page.getByRole('button', { name: text, exact: true });
  }

  async signIn(user, password) {
    await this.page.getByTestId('sign-in-name').fill(user);
    await this.page.getByTestId('sign-in-password').fill(password);
    await this.page.getByTestId('sign-in-submit').click();
  }

  async live() {
    await this.page.locator('[data-testid=live-state][data-state=open]').waitFor();
  }

  /** A mark that a reload would wipe out. */
  async mark() {
    await this.page.evaluate(() => {
      window.notReloaded = true;
    });
  }

  async assertNotReloaded() {
    assert.equal(await this.page.evaluate(() => window.notReloaded), true, 'the page was reloaded');
  }

  /** Terms and values of the fact lists inside an element. */
  async facts(inside) {
    const pairs = await inside.locator('.sk-facts > div').evaluateAll((all) => all.map((one) => [one.querySelector('dt').innerText, one.querySelector('dd').innerText.trim()]));
    return Object.fromEntries(pairs);
  }

  /** In the dialog at hand: the confirming button; then the link in the message leads to the task. */
  async confirmTask(confirm) {
    await this.dialog.getByRole('button', { name: confirm, exact: true }).click();
    await this.dialog.waitFor({ state: 'detached' });
    await this.page.getByRole('link', { name: this.say('tasks:created.follow') }).last().click();
    await this.page.waitForURL(/\/tasks\/[0-9a-f-]{36}/);
    await this.rows.first().waitFor();
    return this.page.url().split('/').pop().split('?')[0];
  }

  /** Asks the API as this visitor: { status, text, body }. */
  api(path) {
    return new Promise((resolve, reject) => {
      const request = https.get(this.stage.base + path, { ca: this.stage.ca, headers: { Authorization: this.token, Accept: 'application/json' }, timeout: PATIENCE_MS }, (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk) => {
          text += chunk;
        });
        response.on('end', () => resolve({ status: response.statusCode, text, body: text ? JSON.parse(text) : null }));
      });
      request.on('timeout', () => request.destroy(new Error(`${path}: no answer`)));
      request.on('error', reject);
    });
  }

  /** Whether the company's plan includes something. */
  async offers(part) {
    return (await this.api('/api/v1/me')).body.entitlements.includes(part);
  }

  async shoot(file) {
    await this.page.screenshot({ path: `${OUT}${file}.png` });
  }

  /** Violations of WCAG A and AA on the page as it stands. */
  async axe(where) {
    if (!(await this.page.evaluate(() => 'axe' in window))) await this.page.evaluate(AXE);
    const found = await this.page.evaluate(
      async (values) => {
        const { violations } = await window.axe.run(document, { runOnly: { type: 'tag', values }, resultTypes: ['violations'] });
        return violations.map(({ id, nodes }) => `${id} (${nodes.length}) ${nodes.slice(0, 3).map((node) => node.target.join(' ')).join(' ; ')}`);
      },
      STANDARDS,
    );
    return found.map((one) => `${where}: ${one}`);
  }
}

/** Until `read` gives something true; fails with what it gave last. */
export async function eventually(what, read, ms = PATIENCE_MS) {
  const until = Date.now() + ms;
  for (;;) {
    const value = await read();
    if (value) return value;
    if (Date.now() > until) assert.fail(`${what} did not happen within ${ms / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
