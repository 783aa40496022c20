// SPDX-License-Identifier: Apache-2.0
// What needs somebody's attention, as numbers that lead to the lists behind them.
import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import type { Detection, Overview } from '@/api/types';
import { Bar } from '@/components/Bar';
import { DayChart } from '@/components/DayChart';
import { DeviceLink } from '@/components/DeviceLink';
import { ErrorState } from '@/components/ErrorState';
import { CheckIcon, ClockIcon, ErrorIcon, RunningIcon, WarningIcon } from '@/components/icons';
import { PageHeader } from '@/components/PageHeader';
import { Skeleton } from '@/components/pf';
import { SeverityText, type Tone } from '@/components/Status';
import { queries } from '@/hooks/queries';
import { useFormat } from '@/hooks/useFormat';
import { useCan, useMaySee, useMe } from '@/hooks/useMe';
import { useNow } from '@/hooks/useNow';
import { dayOf, startOfDay } from '@/services/format';

const LATEST = 6;
const SEATS_ALMOST = 90;

export function OverviewPage() {
  const { t } = useTranslation('overview');
  const overview = useQuery(queries.overview());
  const mayDetections = useMaySee()('detections');
  return (
    <div className="sk-page sk-wide-page">
      <PageHeader title={t('title')} />
      {overview.isError && !overview.data ? (
        <ErrorState error={overview.error} onRetry={() => void overview.refetch()} />
      ) : (
        <div className="sk-cards">
          <Figures data={overview.data} />
          <section className="sk-card sk-card-wide" aria-labelledby="by-day">
            <h2 id="by-day">{t('byDay.title')}</h2>
            {overview.data ? <DayChart days={overview.data.detections_by_day} linked={mayDetections} /> : <Skeleton height="160px" screenreaderText={t('common:state.loading')} />}
          </section>
          <Seats data={overview.data} />
          <LatestDetections />
        </div>
      )}
    </div>
  );
}

function Figures({ data }: { data: Overview | undefined }) {
  const { t } = useTranslation('overview');
  const zone = useMe()?.time_zone;
  const now = useNow(60_000);
  const today = encodeURIComponent(startOfDay(dayOf(now, zone), zone).toISOString());
  const maySee = useMaySee();
  const act = (value: number | undefined, tone: Tone): Tone => (value ? tone : 'quiet');
  return (
    <>
      <Group title={t('group.devices')} total={data?.devices} to="/devices" all={t('figure.devices')}>
        <Figure value={data?.devices_problem} label={t('figure.problem')} to="/devices?status=problem" tone={act(data?.devices_problem, 'danger')} icon={<ErrorIcon />} testId="figure-problem" />
        <Figure value={data?.devices_attention} label={t('figure.attention')} to="/devices?status=attention" tone={act(data?.devices_attention, 'warning')} icon={<WarningIcon />} testId="figure-attention" />
        <Figure value={data?.devices_silent} label={t('figure.silent')} to="/devices?sort=last_seen&direction=asc" tone={act(data?.devices_silent, 'warning')} icon={<ClockIcon />} testId="figure-silent" />
        <Figure value={data?.devices_ok} label={t('figure.ok')} to="/devices?status=ok" tone="quiet" icon={<CheckIcon />} testId="figure-ok" />
      </Group>
      <Group title={t('group.activity')}>
        <Figure
          value={data?.detections_unresolved}
          label={t('figure.unresolved')}
          to={maySee('detections') && '/detections?resolved=false'}
          tone={act(data?.detections_unresolved, 'danger')}
          icon={<ErrorIcon />}
          testId="figure-unresolved"
        />
        <Figure value={data?.detections_today} label={t('figure.today')} to={maySee('detections') && `/detections?from=${today}`} tone="quiet" icon={<ClockIcon />} testId="figure-today" />
        <Figure value={data?.tasks_running} label={t('figure.tasks')} to={maySee('tasks') && '/tasks/executions?state=running'} tone="quiet" icon={<RunningIcon />} testId="figure-tasks" />
      </Group>
    </>
  );
}

function Group({ title, total, all, to, children }: { title: string; total?: number; all?: string; to?: string; children: ReactNode }) {
  const format = useFormat();
  return (
    <section className="sk-card" aria-label={title}>
      <div className="sk-card-head">
        <h2>{title}</h2>
        {to && total !== undefined && (
          <Link to={to} className="sk-tabular">
            {all} {format.number(total)}
          </Link>
        )}
      </div>
      <div className="sk-figures">{children}</div>
    </section>
  );
}

function Figure({ value, label, to, tone, icon, testId }: { value: number | undefined; label: string; to: string | false; tone: Tone; icon: ReactNode; testId: string }) {
  const format = useFormat();
  const content = (
    <>
      <span className="sk-figure-label">
        <span aria-hidden="true">{icon}</span> {label}
      </span>
      <span className="sk-figure-value">{value === undefined ? <Skeleton width="40px" height="24px" /> : format.number(value)}</span>
    </>
  );
  if (to === false) {
    return (
      <div className={`sk-figure sk-${tone}`} data-testid={testId}>
        {content}
      </div>
    );
  }
  return (
    <Link className={`sk-figure sk-${tone}`} to={to} data-testid={testId}>
      {content}
    </Link>
  );
}

function Seats({ data }: { data: Overview | undefined }) {
  const { t } = useTranslation('overview');
  const format = useFormat();
  if (!data) return <section className="sk-card" aria-label={t('seats.title')}><Skeleton height="60px" /></section>;
  const percent = data.seats > 0 ? (data.seats_used / data.seats) * 100 : 0;
  const over = data.seats > 0 && data.seats_used > data.seats;
  return (
    <section className="sk-card" aria-labelledby="seats">
      <h2 id="seats">{t('seats.title')}</h2>
      <p className="sk-figure-value">
        {format.number(data.seats_used)} <span className="sk-muted sk-small">{t('seats.of', { seats: format.number(data.seats) })}</span>
      </p>
      <Bar percent={percent} label={t('seats.title')} tone={over ? 'danger' : percent >= SEATS_ALMOST ? 'warning' : 'quiet'} />
      <p className="sk-muted">{over ? t('seats.over') : t('seats.left', { count: data.seats - data.seats_used, number: format.number(data.seats - data.seats_used) })}</p>
    </section>
  );
}

function LatestDetections() {
  const { t } = useTranslation('overview');
  const can = useCan()('detections.read');
  const format = useFormat();
  const now = useNow(10_000);
  const latest = useQuery({ ...queries.detections({ resolved: false, sort: 'occurred_at', direction: 'desc', limit: LATEST }), enabled: can });
  if (!can) return null;
  return (
    <section className="sk-card sk-card-wide" aria-labelledby="latest">
      <div className="sk-card-head">
        <h2 id="latest">{t('latest.title')}</h2>
        <Link to="/detections?resolved=false">{t('latest.all')}</Link>
      </div>
      {latest.isError && !latest.data && <ErrorState compact error={latest.error} onRetry={() => void latest.refetch()} />}
      {!latest.data && latest.isPending && <Skeleton height="120px" />}
      {latest.data?.items.length === 0 && <p className="sk-muted">{t('latest.none')}</p>}
      <ul className="sk-latest">
        {latest.data?.items.map((detection: Detection) => (
          <li key={detection.id}>
            <SeverityText severity={detection.severity} />
            <Link to={`/detections?resolved=false&show=${detection.id}`} title={detection.object}>
              {detection.name}
            </Link>
            <DeviceLink quiet id={detection.device_id} name={detection.device_name} />
            <span className="sk-muted" title={format.timeExact(detection.occurred_at)}>
              {format.ago(detection.occurred_at, now)}
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}
