// SPDX-License-Identifier: Apache-2.0
// The page's heading. It takes the focus after a change of page, so that a screen reader says where one is.
import { useEffect, useRef, type ReactNode } from 'react';
import { useLocation } from 'react-router';
import { usePageTitle } from '@/hooks/usePageTitle';

let lastPath: string | null = null;

interface Props {
  title: string;
  /** When the visible title is more than text. */
  heading?: ReactNode;
  before?: ReactNode;
  aside?: ReactNode;
  /** Pages with tabs of their own keep the focus on the tab: the part of the path that makes a new page. */
  page?: string;
}

export function PageHeader({ title, heading, before, aside, page }: Props) {
  const ref = useRef<HTMLHeadingElement>(null);
  const { pathname } = useLocation();
  const path = page ?? pathname;
  usePageTitle(title);
  useEffect(() => {
    if (lastPath !== null && lastPath !== path) ref.current?.focus({ preventScroll: true });
    lastPath = path;
  }, [path]);
  return (
    <header className="sk-page-head">
      <div className="sk-page-title">
        {before}
        <h1 ref={ref} tabIndex={-1}>
          {heading ?? title}
        </h1>
      </div>
      {aside && <div className="sk-page-aside">{aside}</div>}
    </header>
  );
}
