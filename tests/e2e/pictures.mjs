// SPDX-License-Identifier: Apache-2.0
// node pictures.mjs DEMO_JSON: web/docs/console.png and console-ja.png, from a running demonstration that `./run --demo` has
// used (it set the passwords) and that has found something.
import { mkdirSync } from 'node:fs';
import { openStage } from './lib/stage.mjs';
import { OWN } from './tests/sign-in.mjs';

const [demoFile] = process.argv.slice(2);
const DOCS = new URL('../../web/docs/', import.meta.url).pathname;
mkdirSync(DOCS, { recursive: true });
const stage = await openStage(demoFile, { keep: true });
for (const [company, language, file] of [['acme', 'en', 'console'], ['kaede', 'ja', 'console-ja']]) {
  const visitor = await stage.visit(language);
  await visitor.go('/sign-in');
  await visitor.signIn(stage.demo.tenants[company].admin_user, OWN[company]);
  await visitor.heading(visitor.say('overview:title')).waitFor();
  await visitor.live();
  const { body } = await visitor.api('/api/v1/detections?resolved=false&severity=critical&sort=occurred_at&direction=desc&limit=50');
  await visitor.route(`/detections?show=${body.items.find((one) => one.action === 'quarantined' && one.process && one.engine !== 'clamav').id}`);
  await visitor.panel.locator('.sk-facts').first().waitFor();
  await visitor.page.evaluate(() => document.activeElement?.blur());
  await visitor.page.mouse.move(700, 5);
  await visitor.page.waitForTimeout(500);
  await visitor.page.screenshot({ path: `${DOCS}${file}.png` });
  await visitor.context.close();
}
await stage.close();
