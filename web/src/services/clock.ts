// SPDX-License-Identifier: Apache-2.0
// The server's time, learnt from Date headers: "last seen" must not depend on this computer's clock.
let offset = 0;

export function learnServerTime(response: Response): void {
  const date = Date.parse(response.headers.get('Date') ?? '');
  if (Number.isNaN(date)) return;
  const difference = date - Date.now();
  offset = Math.abs(difference) < 5_000 ? 0 : difference; // below that it is only the header's rounding and the network
}

export function serverNow(): number {
  return Date.now() + offset;
}
