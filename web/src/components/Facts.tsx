// SPDX-License-Identifier: Apache-2.0
// Name and value pairs. What is not known is left out, not shown as a dash.
import type { ReactNode } from 'react';

export interface Fact {
  term: string;
  value: ReactNode;
  mono?: boolean;
}

export function Facts({ items, label }: { items: readonly (Fact | false)[]; label?: string }) {
  const known = items.filter((item): item is Fact => item !== false && item.value !== undefined && item.value !== null && item.value !== false && item.value !== '');
  return (
    <dl className="sk-facts" aria-label={label}>
      {known.map((item) => (
        <div key={item.term}>
          <dt>{item.term}</dt>
          <dd className={item.mono ? 'sk-mono' : undefined}>{item.value}</dd>
        </div>
      ))}
    </dl>
  );
}

export function Section({ title, children, aside }: { title: string; children: ReactNode; aside?: ReactNode }) {
  return (
    <section className="sk-section">
      <div className="sk-section-head">
        <h3>{title}</h3>
        {aside}
      </div>
      {children}
    </section>
  );
}
