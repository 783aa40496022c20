// SPDX-License-Identifier: Apache-2.0
// node main.mjs DEMO_JSON [WORD]: all browser tests in order. They share two visitors: acme's administrator (English) and
// kaede's (Japanese).
import { createRunner } from './lib/runner.mjs';
import { openStage } from './lib/stage.mjs';
import { signIn } from './tests/sign-in.mjs';
import { mainJob } from './tests/main-job.mjs';
import { tasks } from './tests/tasks.mjs';
import { devices } from './tests/devices.mjs';
import { tenants } from './tests/tenants.mjs';
import { frame } from './tests/frame.mjs';
import { access } from './tests/access.mjs';
import { walk } from './tests/walk.mjs';

const [demoFile, word = ''] = process.argv.slice(2);
const stage = await openStage(demoFile);
const runner = createRunner({
  onFailure: async (number) => {
    for (const visitor of stage.visitors) {
      if (!visitor.page.isClosed()) await visitor.shoot(`failed-${number}-${visitor.name}`);
    }
  },
});

/** What one test leaves for later ones. */
const world = { acme: null, kaede: null, device: null, detections: [], tasks: [] };
for (const part of [signIn, mainJob, tasks, devices, tenants, frame, access, walk]) part(runner, stage, world);

runner.test(
  'the browser complained about nothing',
  () => {
    if (stage.complaints.length > 0) throw new Error([...new Set(stage.complaints)].join('\n'));
  },
  { needed: true },
);

const { passed, failed } = await runner.run(word);
await stage.close();
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 || passed === 0 ? 1 : 0);
