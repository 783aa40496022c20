// SPDX-License-Identifier: Apache-2.0
// A thin progress bar with its number; or the part of something that is used.
export function Bar({ percent, label, tone = 'accent' }: { percent: number; label: string; tone?: 'accent' | 'quiet' | 'warning' | 'danger' }) {
  const value = Math.max(0, Math.min(100, Math.round(percent)));
  return (
    <span className="sk-bar">
      <span className={`sk-bar-track sk-${tone}`} role="progressbar" aria-label={label} aria-valuemin={0} aria-valuemax={100} aria-valuenow={value}>
        <span className="sk-bar-fill" style={{ width: `${value}%` }} />
      </span>
      <span className="sk-bar-value" aria-hidden="true">
        {value}%
      </span>
    </span>
  );
}
