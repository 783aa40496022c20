// SPDX-License-Identifier: Apache-2.0
// What surrounds the pages: language, appearance, the menu, addresses that lead nowhere.
import assert from 'node:assert/strict';

export function frame(runner, stage, world) {
  runner.test('the language changes without a reload and keeps page, filters and the open details', async () => {
    const { acme } = world;
    const { page } = acme;
    await acme.route('/devices?os=windows&limit=25');
    await acme.rows.first().locator('.sk-open').click();
    await acme.panel.locator('.sk-facts').first().waitFor();
    await acme.rows.nth(2).locator('input').check();
    await acme.mark();
    const before = page.url();
    for (const [language, title] of [['ja', '端末'], ['en', 'Devices']]) {
      await page.getByTestId(`language-${language}`).click();
      await acme.heading(title).waitFor();
      assert.equal(await page.evaluate(() => document.documentElement.lang), language);
      assert.equal(page.url(), before);
      assert.ok(await acme.rows.nth(2).locator('input').isChecked());
      await acme.panel.locator('.sk-facts').first().waitFor();
    }
    await acme.assertNotReloaded();
  });

  runner.test('light and dark, kept over a reload', async () => {
    const { page } = world.acme;
    const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number));
    await page.getByTestId('theme-dark').click();
    await page.reload();
    await world.acme.rows.first().waitFor();
    assert.ok(Math.max(...(await background()).slice(0, 3)) < 90, String(await background()));
    await page.getByTestId('theme-light').click();
    assert.ok(Math.min(...(await background()).slice(0, 3)) > 200, String(await background()));
  });

  runner.test('the folded menu stays usable and folded', async () => {
    const { page, say } = world.acme;
    const menu = page.locator('#menu');
    const wide = (await menu.boundingBox()).width;
    await page.getByTestId('menu-toggle').click();
    await page.reload();
    await world.acme.rows.first().waitFor();
    assert.ok((await menu.boundingBox()).width < wide / 2);
    await page.getByRole('link', { name: new RegExp(say('menu.tasks')) }).first().click();
    await world.acme.heading(say('tasks:title')).waitFor();
    await page.getByTestId('menu-toggle').click();
    assert.equal((await menu.boundingBox()).width, wide);
  });

  runner.test('an address that leads nowhere says so and shows the way', async () => {
    const { acme } = world;
    await acme.go('/no/such/page');
    await acme.heading(acme.say('notFound.title')).waitFor();
    await acme.page.getByRole('link', { name: acme.say('notFound.home') }).or(acme.button(acme.say('notFound.home'))).first().click();
    await acme.heading(acme.say('overview:title')).waitFor();
  });
}
