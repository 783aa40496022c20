// SPDX-License-Identifier: Apache-2.0
// A device's details beside the list.
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import { queries } from '@/hooks/queries';
import { useDeviceActions } from '@/hooks/useDeviceActions';
import { ActionMenu } from './ActionMenu';
import { DeviceTabs, type DeviceTab } from './DeviceTabs';
import { FullPageIcon } from './icons';
import { SidePanel } from './SidePanel';

export function DevicePanel({ id, onClose }: { id: string; onClose: () => void }) {
  const { t } = useTranslation('devices');
  const [tab, setTab] = useState<DeviceTab>('overview');
  const detail = useQuery(queries.device(id));
  const device = detail.data?.device;
  const { actions, dialog } = useDeviceActions(device ? [device] : []);
  const name = device?.name ?? t('panel.label');
  return (
    <SidePanel
      subject={id}
      title={name}
      label={t('panel.label')}
      onClose={onClose}
      actions={
        device && (
          <>
            <Link className="sk-quiet-link" to={`/devices/${id}/${tab}`} data-testid="open-full-page">
              <FullPageIcon /> {t('panel.fullPage')}
            </Link>
            <ActionMenu label={t('panel.actions', { name })} text={t('common:action.actions')} actions={actions} testId="device-actions" />
          </>
        )
      }
    >
      <DeviceTabs id={id} tab={tab} onTab={setTab} />
      {dialog}
    </SidePanel>
  );
}
