// SPDX-License-Identifier: Apache-2.0
import { useTranslation } from 'react-i18next';
import type { Device } from '@/api/types';
import { AndroidIcon, AppleIcon, LinuxIcon, WindowsIcon } from './icons';

export const OS_ICONS = { linux: LinuxIcon, windows: WindowsIcon, macos: AppleIcon, ios: AppleIcon, android: AndroidIcon };

/** Until the agent has sent its facts only the family is known. */
export function OsLabel({ device }: { device: Pick<Device, 'os_family' | 'os_name' | 'os_version'> }) {
  const { t } = useTranslation();
  const Icon = OS_ICONS[device.os_family];
  const name = device.os_name || t(`enum.os.${device.os_family}`);
  return (
    <span className="sk-os" title={`${name} ${device.os_version ?? ''}`.trim()}>
      <Icon aria-hidden="true" />
      <span>{name}</span>
    </span>
  );
}
