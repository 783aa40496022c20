// SPDX-License-Identifier: Apache-2.0
// Paging of a short list inside a tab, where the page is not worth a place in the URL.
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { CaretLeftIcon, CaretRightIcon } from './icons';
import { Button } from './pf';

export interface LocalPages {
  cursor: string | undefined;
  next: (cursor: string) => void;
  previous: (() => void) | null;
  reset: () => void;
}

export function useLocalPages(): LocalPages {
  const [trail, setTrail] = useState<readonly string[]>([]);
  return {
    cursor: trail.at(-1),
    next: (cursor) => setTrail([...trail, cursor]),
    previous: trail.length > 0 ? () => setTrail(trail.slice(0, -1)) : null,
    reset: () => setTrail([]),
  };
}

export function LocalPager({ pages, nextCursor }: { pages: LocalPages; nextCursor: string | undefined }) {
  const { t } = useTranslation();
  if (!pages.previous && !nextCursor) return null;
  return (
    <nav className="sk-pager" aria-label={t('table.paging')}>
      <Button variant="plain" size="sm" aria-label={t('table.previousPage')} isDisabled={!pages.previous} onClick={() => pages.previous?.()} icon={<CaretLeftIcon />} />
      <Button variant="plain" size="sm" aria-label={t('table.nextPage')} isDisabled={!nextCursor} onClick={() => nextCursor && pages.next(nextCursor)} icon={<CaretRightIcon />} />
    </nav>
  );
}
