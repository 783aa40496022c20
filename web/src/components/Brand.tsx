// SPDX-License-Identifier: Apache-2.0
// The mark: a gate, which is what a sekisho (関所) was.
export function Mark() {
  return (
    <svg className="sk-mark" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <rect width="32" height="32" rx="7" />
      <path d="M6 9.5h20M8.5 14.5h15M11 9.5V25M21 9.5V25" />
    </svg>
  );
}
