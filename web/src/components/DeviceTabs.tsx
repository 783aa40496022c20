// SPDX-License-Identifier: Apache-2.0
// Everything about one device, the same in the side panel and on its page.
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import type { DeviceDetail } from '@/api/types';
import { useCan } from '@/hooks/useMe';
import { DeviceDetections } from './DeviceDetections';
import { DeviceHardware } from './DeviceHardware';
import { DeviceOverview } from './DeviceOverview';
import { DeviceProblems } from './DeviceProblems';
import { DeviceSoftware } from './DeviceSoftware';
import { DeviceTasks } from './DeviceTasks';
import { ErrorState } from './ErrorState';
import { Skeleton } from './pf';
import { queries } from '@/hooks/queries';
import { Tabs } from './Tabs';

export const DEVICE_TABS = ['overview', 'hardware', 'software', 'problems', 'detections', 'tasks'] as const;
export type DeviceTab = (typeof DEVICE_TABS)[number];

interface Props {
  id: string;
  tab: DeviceTab;
  onTab: (tab: DeviceTab) => void;
}

export function DeviceTabs({ id, tab, onTab }: Props) {
  const { t } = useTranslation('devices');
  const can = useCan();
  const device = useQuery(queries.device(id));
  if (device.isError && !device.data) return <ErrorState error={device.error} onRetry={() => void device.refetch()} />;
  const allowed = DEVICE_TABS.filter((key) => (key !== 'detections' || can('detections.read')) && (key !== 'tasks' || can('tasks.read')));
  const counts: Partial<Record<DeviceTab, number>> = {
    problems: device.data?.device.problems,
    detections: device.data?.device.unresolved,
  };
  return (
    <Tabs label={t('tabs.label')} active={tab} onChange={onTab} tabs={allowed.map((key) => ({ key, title: t(`tabs.${key}`), count: counts[key] }))}>
      {device.data ? <TabBody detail={device.data} tab={tab} /> : <Loading />}
    </Tabs>
  );
}

function TabBody({ detail, tab }: { detail: DeviceDetail; tab: DeviceTab }) {
  switch (tab) {
    case 'hardware':
      return <DeviceHardware detail={detail} />;
    case 'software':
      return <DeviceSoftware detail={detail} />;
    case 'problems':
      return <DeviceProblems detail={detail} />;
    case 'detections':
      return <DeviceDetections device={detail.device} />;
    case 'tasks':
      return <DeviceTasks device={detail.device} />;
    default:
      return <DeviceOverview detail={detail} />;
  }
}

function Loading() {
  const { t } = useTranslation();
  return (
    <div className="sk-loading" role="status" aria-label={t('state.loading')}>
      {[70, 50, 62, 40, 55, 66].map((width) => (
        <Skeleton key={width} width={`${width}%`} height="12px" />
      ))}
    </div>
  );
}
