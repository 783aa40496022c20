// SPDX-License-Identifier: Apache-2.0
// Web Locks with a fallback for browsers without them (then each tab acts alone, which is safe, only less thrifty).
export async function withLock<T>(name: string, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  const locks = typeof navigator === 'undefined' ? undefined : navigator.locks;
  if (!locks) return work();
  return locks.request(name, signal ? { signal } : {}, work) as Promise<T>;
}
