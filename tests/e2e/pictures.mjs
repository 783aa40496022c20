// SPDX-License-Identifier: Apache-2.0
// node pictures.mjs DEMO_JSON PASSWORD: web/docs/console.png and console-ja.png, from a running demonstration whose
// administrators both have that password.
import { openStage } from './lib/stage.mjs';

const [demoFile, password] = process.argv.slice(2);
const DOCS = new URL('../../web/docs/', import.meta.url).pathname;
const stage = await openStage(demoFile, { keep: true });
for (const [company, language, file] of [['acme', 'en', 'console'], ['kaede', 'ja', 'console-ja']]) {
  const visitor = await stage.visit(language);
  await visitor.go('/sign-in');
  await visitor.signIn(stage.demo.tenants[company].admin_user, password);
  await visitor.heading(visitor.say('overview:title')).waitFor();
  await visitor.live();
  const { body } = await visitor.api('/api/v1/detections?resolved=false&severity=critical&limit=1');
  await visitor.route(`/detections?show=${body.items[0].id}`);
  await visitor.panel.locator('.sk-facts').first().waitFor();
  await visitor.page.evaluate(() => document.activeElement?.blur());
  await visitor.page.waitForTimeout(500);
  await visitor.page.screenshot({ path: `${DOCS}${file}.png` });
  await visitor.context.close();
}
await stage.close();
