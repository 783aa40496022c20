// SPDX-License-Identifier: Apache-2.0
// Work for devices: one real computer, and several simulated ones at once.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { drop } from './main-job.mjs';
import { eventually } from '../lib/stage.mjs';

export function tasks(runner, stage, world) {
  /** From the device's page: an action, its dialog, the task's page, the end. Returns the execution. */
  const give = async (type, fill) => {
    const { acme, device } = world;
    const { page, say } = acme;
    await acme.route(`/devices/${device.id}`);
    await acme.heading(device.name).waitFor();
    await page.getByTestId('device-actions').click();
    await page.locator(`[data-action=${type}]`).click();
    await acme.dialog.getByText(say(`tasks:dialog.${type}.title`, { count: 1 })).waitFor();
    await fill?.();
    const id = await acme.confirmTask(say(`tasks:dialog.${type}.confirm`));
    world.tasks.push(id);
    const states = ['done', 'failed', 'refused', 'cancelled'].map((state) => say(`enum.executionState.${state}`));
    await acme.rows.first().getByText(new RegExp(`^(${states.join('|')})$`)).waitFor({ timeout: 30_000 });
    const { body } = await acme.api(`/api/v1/executions?task=${id}`);
    return { execution: body.items[0], text: await acme.rows.first().innerText() };
  };

  runner.test('update modules: newer signatures, then "already the newest"; the newer ones find more', async () => {
    // A demonstration that is used again has them already.
    const { body } = await world.acme.api(`/api/v1/devices/${world.device.id}`);
    if (body.engine.signature_version !== '2') {
      const first = await give('update_modules');
      assert.equal(first.execution.result_code, 'modules_updated', JSON.stringify(first.execution));
      assert.match(first.text, /Updated to/);
    }
    const second = await give('update_modules');
    assert.equal(second.execution.result_code, 'modules_current', JSON.stringify(second.execution));
    const { acme } = world;
    await acme.route('/detections');
    await acme.heading(acme.say('detections:title')).waitFor();
    await acme.live();
    const { took, row } = await drop(acme, join(stage.demo.watched_folder, `newer-${Date.now()}.bin`), ['sekisho-test-', 'threat-newer'].join(''));
    runner.note(`a threat that only the newer signatures know: in the list after ${took} ms`);
    assert.match(await row.innerText(), /Sekisho\.Worm\.Newer/);
  }, { seconds: 120 });

  runner.test('show message', async () => {
    const { page } = world.acme;
    const { execution, text } = await give('show_message', async () => {
      await page.getByTestId('message-title').fill('Maintenance 保守のお知らせ');
      await page.getByTestId('message-text').fill('The server restarts at 18:00.');
    });
    // Nobody may be signed in where the tests run.
    assert.ok(['message_shown', 'no_session'].includes(execution.result_code), JSON.stringify(execution));
    assert.match(text, /The message was shown|Nobody was signed in/);
    runner.note(execution.result_code);
  });

  /** Ticks simulated devices in the list and starts a scan of them. */
  const bulk = async (from, count) => {
    const { acme } = world;
    const { page, say } = acme;
    await acme.route('/devices?os=windows');
    await acme.rows.first().waitFor();
    for (let index = from; index < from + count; index += 1) await acme.rows.nth(index).locator('input').check();
    const bar = page.getByTestId('selection-bar');
    await bar.getByText(say('table.selected', { count, number: count })).waitFor();
    await bar.locator('[data-action=scan]').click();
    await acme.dialog.getByText(say('tasks:dialog.scan.title', { count })).waitFor();
    return acme.confirmTask(say('tasks:dialog.scan.confirm'));
  };

  runner.test('a scan of several devices at once: progress and results; another one is cancelled', async () => {
    const { acme } = world;
    const { page, say } = acme;
    world.tasks.push(await bulk(3, 2));
    await acme.rows.getByText(say('enum.executionState.running')).first().waitFor({ timeout: 30_000 });
    await page.getByTestId('cancel-task').click();
    await acme.dialog.getByRole('button', { name: say('tasks:cancelAll.action'), exact: true }).click();
    await acme.dialog.waitFor({ state: 'detached' });
    await eventually('both cancelled', async () => (await acme.rows.getByText(say('enum.executionState.cancelled'), { exact: true }).count()) === 2, 30_000);
    assert.equal(await page.getByTestId('cancel-task').count(), 0);
    const id = await bulk(0, 3);
    world.tasks.push(id);
    await acme.route('/tasks');
    await page.locator(`tr[data-row="${id}"]`).getByRole('link').first().click();
    await acme.rows.nth(2).waitFor();
    await acme.mark();
    const seen = new Set();
    await eventually(
      'three ends',
      async () => {
        for (const bar of await page.locator('tr[data-row] [role=progressbar]').all()) seen.add(await bar.getAttribute('aria-valuenow', { timeout: 500 }).catch(() => null));
        return (await acme.rows.getByText(/files scanned, \d+ found/).count()) === 3 && (await acme.rows.getByText(say('enum.executionState.done'), { exact: true }).count()) === 3;
      },
      60_000,
    );
    await acme.assertNotReloaded();
    seen.delete(null);
    assert.ok([...seen].some((value) => value > 0 && value < 100), 'no progress was seen on the way');
    runner.note(`progress seen: ${[...seen].map(Number).sort((a, b) => a - b).join(', ')} %`);
  }, { seconds: 150 });

  runner.test('isolation of a simulated device: consequences, badge, filter, and its end', async () => {
    const { acme } = world;
    const { page, say } = acme;
    await acme.route('/devices?os=windows&isolated=false');
    await acme.rows.first().waitFor();
    const row = acme.rows.nth(5);
    const id = await row.getAttribute('data-row');
    const name = await row.locator('.sk-open').innerText();
    await acme.route(`/devices?search=${encodeURIComponent(name)}&show=${id}`);
    const own = page.locator(`tr[data-row="${id}"]`);
    await own.waitFor();
    await acme.live();
    await acme.mark();
    const act = async (type) => {
      await page.getByTestId('device-actions').click();
      await page.locator(`[data-action=${type}]`).click();
      await acme.dialog.getByText(say(`tasks:dialog.${type}.title`, { count: 1 })).waitFor();
    };
    await act('isolate');
    await acme.dialog.getByText(say('tasks:dialog.isolate.consequences')).waitFor();
    await acme.dialog.getByText(name).waitFor();
    await page.keyboard.press('Escape');
    await acme.dialog.waitFor({ state: 'detached' });
    await act('isolate');
    await acme.dialog.getByRole('button', { name: say('tasks:dialog.isolate.confirm'), exact: true }).click();
    const began = Date.now();
    await own.getByText(say('enum.isolated')).waitFor({ state: 'attached', timeout: 30_000 });
    await acme.panel.getByText(say('enum.isolated')).first().waitFor();
    runner.note(`the badge stood there after ${Date.now() - began} ms`);
    await acme.assertNotReloaded();
    await acme.route(`/devices?isolated=true&show=${id}`);
    await own.waitFor();
    await act('end_isolation');
    await acme.dialog.getByRole('button', { name: say('tasks:dialog.end_isolation.confirm'), exact: true }).click();
    await own.waitFor({ state: 'detached', timeout: 30_000 });
  }, { seconds: 120 });
}
