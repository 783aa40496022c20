// SPDX-License-Identifier: Apache-2.0
// Another company on the same installation sees none of it: not in a page, not in a list, not by address.
import assert from 'node:assert/strict';

export function tenants(runner, stage, world) {
  /** Everything of acme that kaede must never read. */
  const secrets = async () => {
    const { acme } = world;
    const ids = [];
    for (const path of ['devices?limit=200', 'detections?limit=200', 'tasks?limit=200', 'executions?limit=200', 'groups', 'enrolment-tokens', 'sessions', 'quarantine?limit=200']) {
      const { status, body } = await acme.api(`/api/v1/${path}`);
      assert.equal(status, 200, path);
      ids.push(...body.items.map((item) => item.id));
    }
    return [...ids, world.device.id, world.detections[0].object, 'old-invoice.com', stage.demo.watched_folder, 'Acme Works', 'Alex Morgan'];
  };
  const assertClean = (text, known, where) => {
    for (const secret of known) assert.ok(!text.includes(secret), `${where} holds ${secret} of the other company`);
  };

  runner.test('a page that was open all the time has shown nothing of the other company', async () => {
    const { kaede } = world;
    assert.equal(await kaede.page.evaluate(() => location.pathname), '/detections');
    assertClean(await kaede.page.content(), await secrets(), 'the open page');
    await kaede.assertNotReloaded();
  });

  runner.test('no page and no list of the other company holds a word of it', async () => {
    const { kaede } = world;
    const known = await secrets();
    for (const path of ['overview', 'devices?limit=200', 'detections', 'quarantine', 'tasks', 'tasks/executions', 'enrolment', 'sessions']) {
      await kaede.route(`/${path}`);
      await kaede.page.locator('h1').waitFor();
      await kaede.page.locator('[aria-busy=true], .pf-v6-c-skeleton').first().waitFor({ state: 'detached' });
      assertClean(await kaede.page.content(), known, path);
    }
    for (const path of ['overview', 'me', 'groups', 'devices?limit=200', 'detections?limit=200', 'detections?search=invoice', 'quarantine?limit=200', 'tasks?limit=200', 'executions?limit=200', 'enrolment-tokens', 'sessions']) {
      const { status, text } = await kaede.api(`/api/v1/${path}`);
      assert.equal(status, 200, path);
      assertClean(text, known, path);
    }
    assert.equal((await kaede.api('/api/v1/detections?search=old-invoice')).body.total, 0);
    const { body } = await kaede.api('/api/v1/devices?limit=200');
    assert.ok(body.total >= 30 && body.items.length === body.total, `${body.total} devices of its own`);
  });

  runner.test('its addresses lead to "not found", and filters by its ids to nothing', async () => {
    const { kaede, device, detections: [detection], tasks: [task] } = world;
    const { page, say } = kaede;
    const absent = '対象が存在しないか、すでに削除されています。';
    for (const path of [`devices/${device.id}`, `detections/${detection.id}`, `tasks/${task}`]) stage.tolerate(404, `/api/v1/${path}`);
    for (const path of [`/devices/${device.id}`, `/devices?show=${device.id}`, `/detections?show=${detection.id}`, `/tasks/${task}`]) {
      await (path.startsWith('/devices') ? kaede.go(path) : kaede.route(path));
      await page.getByText(absent).first().waitFor();
      assertClean(await page.locator('main').innerText(), [device.name === 'localhost' ? '\u0000' : `${device.name} `, detection.object], path);
    }
    for (const path of [`devices/${device.id}`, `devices/${device.id}/software`, `detections/${detection.id}`, `tasks/${task}`]) {
      const { status, body } = await kaede.api(`/api/v1/${path}`);
      assert.equal(status, 404, path);
      assert.equal(body.code, 'not_found');
    }
    for (const path of [`detections?device=${device.id}`, `executions?task=${task}`, `executions?device=${device.id}`, `quarantine?device=${device.id}`]) {
      const { status, body } = await kaede.api(`/api/v1/${path}`);
      assert.ok(status === 404 || body.items.length === 0, `${path}: ${status}`);
    }
    await kaede.route('/overview');
    await kaede.heading(say('overview:title')).waitFor();
  });
}
