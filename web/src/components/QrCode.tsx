// SPDX-License-Identifier: Apache-2.0
// A QR code as one path, made here: what it holds is a secret and goes to nobody. Dark on white in every theme, as scanners
// expect it.
import { useMemo } from 'react';
import { encode } from 'uqr';

const QUIET = 4; // modules of margin that the standard asks for

export function QrCode({ text, label }: { text: string; label: string }) {
  const { path, size } = useMemo(() => {
    const { data } = encode(text, { ecc: 'M', border: 0 });
    const squares = data.flatMap((row, y) => row.map((dark, x) => (dark ? `M${x + QUIET} ${y + QUIET}h1v1h-1z` : '')));
    return { path: squares.join(''), size: data.length + 2 * QUIET };
  }, [text]);
  return (
    <svg className="sk-qr" viewBox={`0 0 ${size} ${size}`} role="img" aria-label={label} shapeRendering="crispEdges" data-testid="qr-code">
      <rect width={size} height={size} />
      <path d={path} />
    </svg>
  );
}
