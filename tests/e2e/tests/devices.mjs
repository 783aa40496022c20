// SPDX-License-Identifier: Apache-2.0
// The device list and a device's page: search, sort, filters, paging, groups, tabs, and all of it by keyboard.
import assert from 'node:assert/strict';
import { eventually } from '../lib/stage.mjs';

export function devices(runner, stage, world) {
  const names = (visitor) => visitor.page.locator('tr[data-row] .sk-open').allInnerTexts();
  const range = async (visitor, text) => {
    await visitor.page.getByTestId('pager-range').filter({ hasText: text }).waitFor();
    await visitor.page.locator('.sk-stale').waitFor({ state: 'detached' }); // the page before stays, dimmed, until this one is there
  };
  const open = async (path) => {
    await world.acme.route(path);
    await world.acme.rows.first().waitFor();
  };

  runner.test('search and filters stand in the address and survive a reload and the back button', async () => {
    const { acme } = world;
    const { page, say } = acme;
    await open('/devices');
    const all = (await acme.api('/api/v1/devices')).body.total;
    const [name] = await names(acme);
    await page.getByRole('textbox', { name: say('devices:filter.search') }).fill(name.slice(0, -1));
    await page.waitForURL(/search=/);
    await eventually('only matches', async () => (await names(acme)).every((one) => one.includes(name.slice(0, -1))));
    await page.reload();
    await acme.rows.first().waitFor();
    assert.ok((await names(acme)).includes(name));
    await page.getByRole('button', { name: say('filter.remove', { name: say('devices:filter.text') }) }).click();
    await page.waitForURL((url) => !url.search.includes('search='));

    const withProblem = (await acme.api('/api/v1/devices?problems_only=true&limit=1')).body.items[0];
    assert.ok(withProblem, 'no device of the fleet has a problem');
    const os = withProblem.os_family;
    await page.getByLabel(say('devices:filter.os'), { exact: true }).selectOption(os);
    await page.waitForURL((url) => url.searchParams.get('os') === os);
    await page.getByTestId('problems-only').click();
    await page.waitForURL(/problems_only=true/);
    const { body } = await acme.api(`/api/v1/devices?os=${os}&problems_only=true`);
    assert.ok(body.total > 0 && body.total < all, `${body.total} of ${all}`);
    assert.ok(body.items.every((device) => device.problems > 0 && device.os_family === os));
    await eventually('the filtered rows', async () => (await acme.rows.count()) === body.total);
    await page.goBack();
    await page.waitForURL((url) => !url.search.includes('problems_only') && url.searchParams.get('os') === os);
  });

  runner.test('sorting by a column, both ways', async () => {
    const { acme } = world;
    const { page, say } = acme;
    await open('/devices');
    await acme.button(say('devices:column.name')).click();
    await page.waitForURL(/sort=name&direction=desc/);
    const expected = (await acme.api('/api/v1/devices?sort=name&direction=desc')).body.items.map((device) => device.name);
    await eventually('the order', async () => (await names(acme)).join() === expected.join());
    const ascending = (await acme.api('/api/v1/devices?sort=name&direction=asc&limit=200')).body.items.map((device) => device.name);
    assert.deepEqual(ascending.toReversed().slice(0, expected.length), expected);
    await acme.button(say('devices:column.status')).click();
    await page.waitForURL(/sort=problems&direction=desc/);
    const problems = (await acme.api('/api/v1/devices?sort=problems&direction=desc')).body.items.map((device) => device.problems);
    assert.deepEqual(problems, problems.toSorted((a, b) => b - a));
    assert.equal(await page.locator('th[aria-sort=descending]').count(), 1);
  });

  runner.test('pages forward and back hold every device once', async () => {
    const { acme } = world;
    const { page, say } = acme;
    await open('/devices?limit=25');
    const { total } = (await acme.api('/api/v1/devices?limit=25')).body;
    assert.ok(total > 25, `${total} devices`);
    await range(acme, `1–25 of ${total}`);
    const seen = await names(acme);
    for (let from = 26; from <= total; from += 25) {
      await acme.button(say('table.nextPage')).click();
      await range(acme, `${from}–${Math.min(from + 24, total)} of ${total}`);
      seen.push(...(await names(acme)));
    }
    assert.equal(new Set(seen).size, total);
    await page.reload();
    await acme.rows.first().waitFor();
    await acme.button(say('table.previousPage')).click();
    await eventually('the page before', async () => {
      const now = await names(acme);
      return now.length === 25 && now[0] === seen[Math.max(0, (Math.ceil(total / 25) - 2) * 25)];
    });
    // A cursor of nonsense is refused in words, with the way out.
    stage.tolerate(400, '/api/v1/devices');
    stage.tolerate(422, '/api/v1/devices');
    await acme.route('/devices?cursor=bm9uc2Vuc2U');
    await page.getByRole('button', { name: say('table.firstPage') }).first().click();
    await acme.rows.first().waitFor();
  });

  runner.test('two devices move to a group; the tree counts and filters', async () => {
    const { acme } = world;
    const { page, say } = acme;
    await open('/devices?os=macos');
    await acme.rows.nth(0).locator('input').check();
    await acme.rows.nth(1).locator('input').check();
    const moved = (await names(acme)).slice(0, 2);
    await page.getByTestId('selection-more').click();
    await page.locator('[data-action=move]').click();
    const select = page.getByTestId('group-select');
    await select.locator('option', { hasText: 'Osaka' }).waitFor({ state: 'attached' });
    await select.selectOption(await select.locator('option', { hasText: 'Osaka' }).getAttribute('value'));
    await acme.dialog.getByRole('button', { name: say('devices:move.confirm'), exact: true }).click();
    await page.getByText(say('devices:move.done', { count: 2 })).waitFor();
    await page.getByRole('treeitem', { name: /Osaka/ }).click();
    await page.waitForURL(/group=/);
    await eventually('the members', async () => {
      const now = await names(acme);
      return moved.every((name) => now.includes(name));
    });
    const { body } = await acme.api('/api/v1/groups');
    const osaka = body.items.find((group) => group.name === 'Osaka');
    assert.match(await page.getByRole('treeitem', { name: /Osaka/ }).innerText(), new RegExp(`${osaka.devices}$`));
  });

  runner.test('the real computer: state, hardware, software search, detections, tasks, a new name', async () => {
    const { acme, device } = world;
    const { page, say } = acme;
    await open(`/devices?search=${encodeURIComponent(device.name)}&show=${device.id}`);
    await acme.panel.locator('.sk-facts').first().waitFor();
    const facts = await acme.facts(acme.panel);
    assert.match(facts[say('devices:fact.os')], /Debian/);
    assert.equal(facts[say('devices:fact.watched')], stage.demo.watched_folder);
    assert.match(facts[say('devices:fact.engine')], /clam/i);
    await page.getByTestId('open-full-page').click();
    await acme.heading(device.name).waitFor();
    await page.locator('[data-tab=hardware]').click();
    await page.waitForURL(/\/hardware$/);
    await page.getByText(say('devices:section.filesystems')).waitFor();
    await page.locator('[data-tab=software]').click();
    await acme.rows.first().waitFor();
    await page.getByRole('textbox', { name: say('devices:software.search') }).fill('postgresql');
    await eventually('only matches', async () => {
      const found = await page.locator('tr[data-row] th').allInnerTexts();
      return found.length > 0 && found.length < 50 && found.every((name) => name.includes('postgres'));
    });
    await page.locator('[data-tab=detections]').click();
    await page.getByText(/eicar/i).first().waitFor();
    await page.locator('[data-tab=tasks]').click();
    await page.getByRole('link', { name: say('enum.taskType.scan') }).or(page.getByText(say('enum.taskType.scan'))).first().waitFor();
    await page.locator('[data-tab=problems]').click();
    await page.waitForURL(/\/problems$/);

    await acme.button(say('devices:action.edit')).click();
    await acme.dialog.getByLabel(say('devices:edit.description')).fill('The tests run here. 検証用');
    await acme.dialog.getByRole('button', { name: say('action.save'), exact: true }).click();
    await page.getByText(say('devices:edit.done')).waitFor();
    await page.locator('[data-tab=overview]').click();
    await page.getByText('The tests run here. 検証用').waitFor();
  });

  runner.test('by keyboard: into the list, open with Enter, walk the tabs, Escape gives the focus back', async () => {
    const { acme } = world;
    const { page, say } = acme;
    await acme.go('/devices');
    await acme.rows.first().waitFor();
    const focused = () => page.evaluate(() => ({ tag: document.activeElement?.tagName, classes: document.activeElement?.className ?? '', text: document.activeElement?.textContent ?? '' }));
    await page.keyboard.press('Tab');
    assert.equal((await focused()).text, say('shell.skip'));
    let steps = 1;
    while (!(await focused()).classes.includes('sk-open')) {
      await page.keyboard.press('Tab');
      steps += 1;
      assert.ok(steps < 60, 'no row within 60 steps of Tab');
    }
    runner.note(`${steps} steps of Tab to the first row`);
    const { text: name } = await focused();
    await page.keyboard.press('Enter');
    await acme.panel.locator('[role=tab]').first().waitFor();
    await eventually('the focus in the heading of the details', async () => (await focused()).tag === 'H2' && (await focused()).text === name);
    await acme.panel.locator('[data-tab=overview]').focus();
    await page.keyboard.press('ArrowRight');
    await acme.panel.locator('[data-tab=hardware][aria-selected=true]').waitFor();
    await page.keyboard.press('End');
    await acme.panel.locator('[data-tab=tasks][aria-selected=true]').waitFor();
    await page.keyboard.press('Escape');
    await acme.panel.waitFor({ state: 'detached' });
    await eventually('the focus back in the row', async () => (await focused()).classes.includes('sk-open') && (await focused()).text === name);
    // The menu of a row.
    const menu = acme.rows.first().getByRole('button', { name: say('devices:panel.actions', { name: (await names(acme))[0] }) });
    await menu.focus();
    await page.keyboard.press('Enter');
    await page.locator('[data-action=scan]').first().waitFor();
    await page.keyboard.press('Escape');
    await page.locator('[data-action=scan]').first().waitFor({ state: 'detached' });
    assert.ok(await menu.evaluate((element) => element === document.activeElement), 'the menu of a row gave the focus away');
    await acme.rows.first().locator('.sk-open').focus();
    // A dialog keeps the focus inside and gives it back too.
    await page.keyboard.press('Space');
    await acme.panel.locator('[role=tab]').first().waitFor();
    await page.getByTestId('device-actions').focus();
    await page.keyboard.press('Enter');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowUp');
    await page.locator('[data-action=scan] button, button[data-action=scan]').first().press('Enter');
    await acme.dialog.waitFor();
    for (let step = 0; step < 12; step += 1) {
      await page.keyboard.press('Tab');
      assert.ok(await page.evaluate(() => Boolean(document.activeElement?.closest('[role=dialog]')) || document.activeElement === document.body), 'Tab left the dialog');
    }
    await page.keyboard.press('Escape');
    await acme.dialog.waitFor({ state: 'detached' });
  });
}
