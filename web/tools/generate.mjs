// SPDX-License-Identifier: Apache-2.0
// Makes src/api/schema.ts from the API's contract; --check only tells whether the committed file is current.
import { readFile, writeFile } from 'node:fs/promises';
import openapiTS, { astToString } from 'openapi-typescript';

const contract = new URL('../../src/handler/openapi.yaml', import.meta.url);
const target = new URL('../src/api/schema.ts', import.meta.url);

const text =
  '// SPDX-License-Identifier: Apache-2.0\n// Generated from src/handler/openapi.yaml by `npm run generate`. Do not edit.\n\n' +
  astToString(await openapiTS(contract, { silent: true }));

if (process.argv.includes('--check')) {
  const committed = await readFile(target, 'utf8').catch(() => '');
  if (committed !== text) {
    console.error('src/api/schema.ts is not current: run `npm run generate` and commit it.');
    process.exit(1);
  }
} else {
  await writeFile(target, text);
}
