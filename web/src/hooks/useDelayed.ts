// SPDX-License-Identifier: Apache-2.0
import { useEffect, useState } from 'react';

/** A value that follows another one after a pause: for searches while somebody types. */
export function useDelayed<T>(value: T, ms: number): T {
  const [late, setLate] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setLate(value), ms);
    return () => clearTimeout(timer);
  }, [value, ms]);
  return late;
}
