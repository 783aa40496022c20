// SPDX-License-Identifier: Apache-2.0
import { useEffect, useState } from 'react';
import { serverNow } from '@/services/clock';

/** The server's time, renewed every `everyMs`: for "3 minutes ago" and count-downs. */
export function useNow(everyMs: number): number {
  const [now, setNow] = useState(serverNow);
  useEffect(() => {
    const timer = setInterval(() => setNow(serverNow()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}
