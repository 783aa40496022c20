// SPDX-License-Identifier: Apache-2.0
// The frame of every signed-in page: top bar, folding menu, live updates, messages.
import { useIsFetching, useQuery } from '@tanstack/react-query';
import { Suspense, useEffect, useRef, useState, type ComponentType } from 'react';
import { useTranslation } from 'react-i18next';
import { NavLink, Outlet, useNavigation } from 'react-router';
import type { Me } from '@/api/types';
import { queries } from '@/hooks/queries';
import { useFormat } from '@/hooks/useFormat';
import { useLiveQueries } from '@/hooks/useLiveQueries';
import { maySee, PAGES, type PageName } from '@/services/access';
import { languageChosen, switchLanguage } from '@/services/i18n';
import { liveStore } from '@/services/live';
import { readPref, writePref } from '@/services/prefs';
import { useStore } from '@/services/store';
import { Mark } from './Brand';
import { ErrorState } from './ErrorState';
import { AuditIcon, DetectionIcon, DevicesIcon, EnrolIcon, MenuIcon, OverviewIcon, QuarantineIcon, SetsIcon, TasksIcon, UsersIcon } from './icons';
import { IdleGuard } from './IdleGuard';
import { LanguageSwitch } from './LanguageSwitch';
import { Button, Spinner } from './pf';
import { ThemeSwitch } from './ThemeSwitch';
import { Toasts } from './Toasts';
import { UserMenu } from './UserMenu';

interface Entry {
  page: PageName;
  text: string;
  icon: ComponentType;
}

const MENU: { title: string; entries: Entry[] }[] = [
  {
    title: 'menu.monitor',
    entries: [
      { page: 'overview', text: 'menu.overview', icon: OverviewIcon },
      { page: 'detections', text: 'menu.detections', icon: DetectionIcon },
      { page: 'quarantine', text: 'menu.quarantine', icon: QuarantineIcon },
    ],
  },
  {
    title: 'menu.manage',
    entries: [
      { page: 'devices', text: 'menu.devices', icon: DevicesIcon },
      { page: 'tasks', text: 'menu.tasks', icon: TasksIcon },
      { page: 'enrolment', text: 'menu.enrolment', icon: EnrolIcon },
    ],
  },
  {
    title: 'menu.access',
    entries: [
      { page: 'users', text: 'menu.users', icon: UsersIcon },
      { page: 'permissionSets', text: 'menu.permissionSets', icon: SetsIcon },
      { page: 'audit', text: 'menu.audit', icon: AuditIcon },
    ],
  },
];

const NARROW = '(width <= 760px)';

export function Shell() {
  const { t } = useTranslation();
  const me = useQuery(queries.me());
  const [folded, setFolded] = useState(() => readPref('menu') === 'folded' || matchMedia(NARROW).matches);
  useLiveQueries(me.data !== undefined); // before that one may have to set up a second factor first

  const accountLanguage = me.data?.language;
  useEffect(() => {
    if (accountLanguage && !languageChosen()) void switchLanguage(accountLanguage, { remember: false });
  }, [accountLanguage]);

  const fold = () => {
    writePref('menu', folded ? null : 'folded');
    setFolded(!folded);
  };

  return (
    <div className={folded ? 'sk-shell sk-folded' : 'sk-shell'}>
      <a className="sk-skip" href="#main">
        {t('shell.skip')}
      </a>
      <header className="sk-masthead">
        <Button variant="plain" aria-label={t('shell.menu')} aria-expanded={!folded} aria-controls="menu" onClick={fold} icon={<MenuIcon />} data-testid="menu-toggle" />
        <NavLink to="/" className="sk-brand" aria-label={t('shell.home')}>
          <Mark />
          <span>{t('product')}</span>
        </NavLink>
        <span className="sk-tenant" data-testid="tenant-name">
          {me.data?.tenant_name}
        </span>
        <div className="sk-masthead-tools">
          <LiveIndicator />
          <LanguageSwitch />
          <ThemeSwitch />
          <UserMenu />
        </div>
        <BusyLine />
      </header>
      <nav id="menu" className="sk-nav" aria-label={t('shell.mainMenu')}>
        {me.data && <Menu me={me.data} folded={folded} />}
      </nav>
      <main id="main" className="sk-main" tabIndex={-1}>
        {me.isError && !me.data ? (
          <ErrorState error={me.error} onRetry={() => void me.refetch()} />
        ) : (
          <Suspense fallback={<Spinner aria-label={t('state.loading')} />}>{me.data && <Outlet />}</Suspense>
        )}
      </main>
      <Toasts />
      <IdleGuard />
    </div>
  );
}

function Menu({ me, folded }: { me: Me; folded: boolean }) {
  const { t } = useTranslation();
  const unresolved = useUnresolved(maySee(me, PAGES.overview));
  const format = useFormat();
  return MENU.map((group) => {
    const entries = group.entries.filter((entry) => maySee(me, PAGES[entry.page]));
    if (entries.length === 0) return null;
    return (
      <section key={group.title} aria-labelledby={group.title}>
        <h2 id={group.title}>{t(group.title)}</h2>
        <ul>
          {entries.map(({ page, text, icon: Icon }) => (
            <li key={page}>
              <NavLink to={PAGES[page].to} title={folded ? t(text) : undefined}>
                <Icon />
                <span className="sk-nav-text">{t(text)}</span>
                {page === 'detections' && unresolved !== undefined && unresolved > 0 && (
                  <span className="sk-count" data-testid="unresolved-count">
                    <span className="sk-hidden">{t('menu.unresolved')} </span>
                    {unresolved > 999 ? t('menu.many', { count: 999 }) : format.number(unresolved)}
                  </span>
                )}
              </NavLink>
            </li>
          ))}
        </ul>
      </section>
    );
  });
}

/** Unresolved detections; says aloud (politely) when there are more than before. */
function useUnresolved(allowed: boolean): number | undefined {
  const { t } = useTranslation();
  const overview = useQuery({ ...queries.overview(), enabled: allowed });
  const count = overview.data?.detections_unresolved;
  const before = useRef<number>(undefined);
  useEffect(() => {
    const known = before.current;
    before.current = count;
    const speaker = document.getElementById('announcer');
    if (speaker && known !== undefined && count !== undefined && count > known) {
      speaker.textContent = t('menu.newDetections', { count: count - known });
    }
  }, [count, t]);
  return count;
}

function LiveIndicator() {
  const { t } = useTranslation();
  const state = useStore(liveStore);
  return (
    <>
      <span className={`sk-live sk-live-${state}`} role="status" title={t(`live.${state}Hint`)} data-testid="live-state" data-state={state}>
        <span className="sk-dot" aria-hidden="true" />
        {t(`live.${state}`)}
      </span>
      <span id="announcer" className="sk-hidden" role="status" aria-live="polite" />
    </>
  );
}

const SLOW_MS = 700;

/** A thin moving line when reading takes longer than a moment. */
function BusyLine() {
  const busy = useIsFetching() > 0;
  const navigating = useNavigation().state !== 'idle';
  const active = busy || navigating;
  const [slow, setSlow] = useState(false);
  useEffect(() => {
    if (!active) {
      setSlow(false);
      return;
    }
    const timer = setTimeout(() => setSlow(true), SLOW_MS);
    return () => clearTimeout(timer);
  }, [active]);
  return slow ? <div className="sk-busy" aria-hidden="true" /> : null;
}
