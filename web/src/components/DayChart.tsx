// SPDX-License-Identifier: Apache-2.0
// Detections by day as bars. Each bar is a link to that day's list, for those who may see it; the numbers stand on the bars, so nothing hides in a hover.
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import { useFormat } from '@/hooks/useFormat';
import { startOfDay } from '@/services/format';

interface Day {
  day: string;
  count: number;
}

const DAY_MS = 24 * 60 * 60 * 1000;

function dayLink(day: string, zone: string | undefined): string {
  const from = startOfDay(day, zone);
  const nextDay = new Date(Date.parse(`${day}T00:00:00Z`) + DAY_MS).toISOString().slice(0, 10);
  const params = new URLSearchParams({ from: from.toISOString(), to: startOfDay(nextDay, zone).toISOString() });
  return `/detections?${params.toString()}`;
}

export function DayChart({ days, linked }: { days: readonly Day[]; linked: boolean }) {
  const { t } = useTranslation('overview');
  const format = useFormat();
  const most = Math.max(1, ...days.map((day) => day.count));
  if (days.every((day) => day.count === 0)) return <p className="sk-muted">{t('byDay.none')}</p>;
  return (
    <ol className="sk-days" data-testid="day-chart">
      {days.map((day) => {
        const label = t('byDay.bar', { day: format.day(day.day), count: day.count, number: format.number(day.count) });
        const bar = (
          <>
            <span className="sk-day-plot">
              <span className="sk-day-bar" style={{ height: `${(day.count / most) * 100}%` }}>
                {day.count > 0 && <span className="sk-day-count">{format.number(day.count)}</span>}
              </span>
            </span>
            <span className="sk-day-name">{format.day(day.day)}</span>
          </>
        );
        return (
          <li key={day.day}>
            {linked ? (
              <Link className="sk-day-column" to={dayLink(day.day, format.zone)} aria-label={label}>
                {bar}
              </Link>
            ) : (
              <span className="sk-day-column" role="img" aria-label={label}>
                {bar}
              </span>
            )}
          </li>
        );
      })}
    </ol>
  );
}
