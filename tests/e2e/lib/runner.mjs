// SPDX-License-Identifier: Apache-2.0
// Tests in the order they are written, each with a time-out; one line for each, and the count at the end.
const ESCAPES = /\x1b\[[0-9;]*m/g;

export function createRunner({ onFailure }) {
  const tests = [];
  const counts = { passed: 0, failed: 0 };
  const notes = [];

  const within = async (seconds, work) => {
    let timer;
    const late = new Promise((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`took longer than ${seconds} s`)), seconds * 1000);
    });
    try {
      await Promise.race([work(), late]);
    } finally {
      clearTimeout(timer);
    }
  };

  return {
    /** `needed`: runs also when only a part was asked for. */
    test: (name, body, { seconds = 120, needed = false } = {}) => tests.push({ name, body, seconds, needed }),
    note: (text) => notes.push(text),
    async run(word) {
      for (const test of tests) {
        if (word && !test.needed && !test.name.includes(word)) continue;
        const began = Date.now();
        notes.length = 0;
        let failure = null;
        try {
          await within(test.seconds, test.body);
        } catch (error) {
          failure = error;
        }
        counts[failure ? 'failed' : 'passed'] += 1;
        console.log(`${failure ? 'NO' : 'ok'}  ${((Date.now() - began) / 1000).toFixed(1).padStart(5)} s  ${test.name}`);
        for (const text of notes) console.log(`            ${text}`);
        if (failure) {
          console.log(String(failure.stack ?? failure).replace(ESCAPES, '').split('\n').slice(0, 14).map((line) => `            ${line}`).join('\n'));
          await onFailure(counts.failed).catch(() => undefined);
        }
      }
      return counts;
    },
  };
}
