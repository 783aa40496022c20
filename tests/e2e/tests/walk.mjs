// SPDX-License-Identifier: Apache-2.0
// Every page in both languages and both themes: no violation of WCAG A and AA, and a picture for people.
import assert from 'node:assert/strict';

const settled = (page) => page.locator('[aria-busy=true], .pf-v6-c-skeleton, .sk-stale').first().waitFor({ state: 'detached' });

/** Escape closes what lies over the page (a dialog, a menu), and only that. */
async function closeOver({ page }) {
  const over = page.locator('[role=dialog], .pf-v6-c-menu');
  if ((await over.count()) === 0) return;
  await page.keyboard.press('Escape');
  await over.first().waitFor({ state: 'detached' });
}

/** How each page is reached. `first` is the first device or detection of the company. */
const PAGES = {
  overview: (v) => v.route('/overview'),
  devices: (v) => v.route('/devices'),
  async 'devices-selected'(v) {
    await v.route('/devices?os=windows');
    await settled(v.page);
    await v.rows.nth(1).locator('input').check();
    await v.rows.nth(2).locator('input').check();
    await v.page.getByTestId('selection-more').click();
  },
  async 'device-panel'(v, { device }) {
    await v.route(`/devices?show=${device}`);
    await v.panel.locator('.sk-facts').first().waitFor();
  },
  async isolate(v) {
    await v.page.getByTestId('device-actions').click();
    await v.page.locator('[data-action=isolate]').click();
    await v.dialog.waitFor();
  },
  async move(v) {
    await v.page.getByTestId('device-actions').click();
    await v.page.locator('[data-action=move]').click();
    await v.dialog.waitFor();
  },
  device: (v, { device }) => v.route(`/devices/${device}`),
  'device-hardware': (v, { device }) => v.route(`/devices/${device}/hardware`),
  'device-software': (v, { device }) => v.route(`/devices/${device}/software`),
  'device-problems': (v, { device }) => v.route(`/devices/${device}/problems`),
  'device-detections': (v, { device }) => v.route(`/devices/${device}/detections`),
  'device-tasks': (v, { device }) => v.route(`/devices/${device}/tasks`),
  detections: (v) => v.route('/detections'),
  async 'detection-panel'(v, { detection }) {
    if (!detection) return false;
    await v.route(`/detections?show=${detection}`);
    await v.panel.locator('.sk-facts').first().waitFor();
    return true;
  },
  async scan(v, { unresolved }) {
    if (!unresolved) return false;
    await v.route(`/detections?show=${unresolved}`);
    await v.page.getByTestId('scan-this-computer').click();
    await v.dialog.waitFor();
    return true;
  },
  quarantine: (v) => v.route('/quarantine'),
  tasks: (v) => v.route('/tasks'),
  async task(v, { task }) {
    if (!task) return false;
    await v.route(`/tasks/${task}`);
    await v.page.locator('.sk-summary').waitFor();
    return true;
  },
  executions: (v) => v.route('/tasks/executions'),
  enrolment: (v) => v.route('/enrolment'),
  async 'enrolment-create'(v) {
    await v.page.getByTestId('new-token').first().click();
    await v.dialog.waitFor();
  },
  async sessions(v) {
    await v.route('/sessions');
    await v.rows.first().waitFor();
    await v.page.getByTestId('user-menu').click();
  },
  async users(v) {
    await v.route('/users');
    await v.rows.or(v.page.getByTestId('lacking')).first().waitFor();
  },
  async 'user-panel'(v) {
    if ((await v.rows.count()) === 0) return false;
    await v.rows.first().locator('.sk-open').click();
    await v.panel.locator('.sk-facts').first().waitFor();
    return true;
  },
  async 'user-create'(v) {
    if ((await v.page.getByTestId('new-user').count()) === 0) return false;
    await v.page.getByTestId('new-user').click();
    await v.dialog.waitFor();
    return true;
  },
  'permission-sets': (v) => v.route('/permission-sets'),
  async 'set-editor'(v) {
    await v.route('/permission-sets/new');
    if (!(await v.offers('multi_user'))) return false;
    await v.page.getByTestId('show-deny').click();
    return true;
  },
  audit: (v) => v.route('/audit'),
  async 'audit-panel'(v) {
    if (!(await v.offers('audit_screen'))) return false;
    await v.rows.first().locator('.sk-open').click();
    await v.panel.locator('.sk-facts').first().waitFor();
    return true;
  },
  async 'new-task'(v) {
    await v.route('/tasks');
    await v.page.getByTestId('new-task').first().click();
    await v.page.getByTestId('targets').waitFor();
  },
  'second-factor': (v) => v.route('/second-factor'),
  password: (v) => v.route('/password'),
  'not-found': (v) => v.route('/no/such/page'),
};

/** Each page is walked once in each language and once in each theme; these in every combination. */
const MAIN = ['overview', 'devices-selected', 'device-panel', 'isolate', 'device-hardware', 'detection-panel', 'task'];
/** What kaede's plan lacks is walked in Japanese at acme. */
const ACCESS = ['users', 'user-panel', 'user-create', 'permission-sets', 'set-editor', 'audit', 'audit-panel'];

export function walk(runner, stage, world) {
  const look = async (visitor, language, theme, names) => {
    await visitor.page.evaluate(() => localStorage.setItem('sekisho.page-size', '25'));
    await visitor.go('/overview');
    await visitor.page.getByTestId(`language-${language}`).click();
    await visitor.page.getByTestId(`theme-${theme}`).click();
    visitor.speak(language);
    const [devices, detections, unresolved, tasks] = await Promise.all(
      ['devices?sort=unresolved&direction=desc&limit=1', 'detections?limit=1', 'detections?limit=1&resolved=false', 'tasks?limit=1'].map(async (path) => (await visitor.api(`/api/v1/${path}`)).body.items[0]?.id),
    );
    const ids = { device: devices, detection: detections, unresolved, task: tasks };
    const violations = [];
    let pages = 0;
    for (const name of names) {
      await closeOver(visitor);
      if ((await PAGES[name](visitor, ids)) === false) continue;
      await visitor.page.locator('h1').first().waitFor();
      await settled(visitor.page);
      await visitor.page.waitForTimeout(250); // menus and dialogs fade in
      violations.push(...(await visitor.axe(`${name}-${language}-${theme}`)));
      await visitor.shoot(`${name}-${language}-${theme}`);
      pages += 1;
    }
    runner.note(`${pages} pages`);
    assert.deepEqual(violations, []);
  };

  for (const [language, theme, company] of [['en', 'light', 'acme'], ['ja', 'dark', 'kaede']]) {
    runner.test(`every page in ${language}, ${theme}: no accessibility violation`, () => look(world[company], language, theme, Object.keys(PAGES)), { seconds: 400 });
  }
  runner.test('users, permission sets and audit in ja, dark: no accessibility violation', () => look(world.acme, 'ja', 'dark', ACCESS), { seconds: 200 });
  for (const [language, theme, company] of [['en', 'dark', 'acme'], ['ja', 'light', 'kaede']]) {
    runner.test(`the main pages in ${language}, ${theme}: no accessibility violation`, () => look(world[company], language, theme, MAIN), { seconds: 200 });
  }

  runner.test('the sign-in page in both languages, light and dark: no accessibility violation', async () => {
    const violations = [];
    for (const language of ['en', 'ja']) {
      const visitor = await stage.visit(language, { name: `door-${language}` });
      for (const theme of ['light', 'dark']) {
        await visitor.page.emulateMedia({ colorScheme: theme });
        await visitor.go('/sign-in');
        await visitor.heading(visitor.say('session:signIn.title')).waitFor();
        violations.push(...(await visitor.axe(`sign-in-${language}-${theme}`)));
        await visitor.shoot(`sign-in-${language}-${theme}`);
      }
      await visitor.context.close();
    }
    assert.deepEqual(violations, []);
  });
}
