// SPDX-License-Identifier: Apache-2.0
import type { Device } from '@/api/types';
import { AndroidIcon, AppleIcon, LinuxIcon, WindowsIcon } from './icons';

const ICONS = { linux: LinuxIcon, windows: WindowsIcon, macos: AppleIcon, ios: AppleIcon, android: AndroidIcon };

export function OsLabel({ device }: { device: Pick<Device, 'os_family' | 'os_name' | 'os_version'> }) {
  const Icon = ICONS[device.os_family];
  return (
    <span className="sk-os" title={`${device.os_name} ${device.os_version ?? ''}`.trim()}>
      <Icon aria-hidden="true" />
      <span>{device.os_name}</span>
    </span>
  );
}
