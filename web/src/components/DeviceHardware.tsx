// SPDX-License-Identifier: Apache-2.0
import { useTranslation } from 'react-i18next';
import type { DeviceDetail } from '@/api/types';
import { useFormat } from '@/hooks/useFormat';
import { Bar } from './Bar';
import { Facts, Section } from './Facts';
import { ListEmpty } from './ListEmpty';
import { DevicesIcon } from './icons';

const ALMOST_FULL = 90;

export function DeviceHardware({ detail }: { detail: DeviceDetail }) {
  const { t } = useTranslation('devices');
  const format = useFormat();
  const { disks, filesystems, adapters } = detail;
  const machine = [detail.vendor, detail.model, detail.serial, detail.cpu, detail.memory_bytes].some(Boolean);
  if (!machine && disks.length + filesystems.length + adapters.length === 0) {
    return <ListEmpty icon={DevicesIcon} title={t('hardware.none')} body={t('hardware.noneBody')} />;
  }
  return (
    <>
      <div className="sk-sections">
      <Section title={t('section.machine')}>
        <Facts
          items={[
            { term: t('fact.vendor'), value: detail.vendor },
            { term: t('fact.model'), value: detail.model },
            { term: t('fact.serial'), value: detail.serial, mono: true },
            { term: t('fact.cpu'), value: detail.cpu },
            { term: t('fact.cores'), value: detail.cpu_cores && format.number(detail.cpu_cores) },
            { term: t('fact.memory'), value: detail.memory_bytes && format.bytes(detail.memory_bytes) },
          ]}
        />
      </Section>
      {filesystems.length > 0 && (
        <Section title={t('section.filesystems')}>
          <table className="sk-plain-table">
            <thead>
              <tr>
                <th scope="col">{t('hardware.mount')}</th>
                <th scope="col">{t('hardware.type')}</th>
                <th scope="col" className="sk-numeric">
                  {t('hardware.free')}
                </th>
                <th scope="col" className="sk-wide">
                  {t('hardware.used')}
                </th>
              </tr>
            </thead>
            <tbody>
              {filesystems.map((filesystem) => {
                const used = filesystem.size_bytes > 0 ? 100 - (filesystem.free_bytes / filesystem.size_bytes) * 100 : 0;
                return (
                  <tr key={filesystem.mount}>
                    <th scope="row" className="sk-mono">
                      {filesystem.mount}
                    </th>
                    <td>{filesystem.type}</td>
                    <td className="sk-numeric">{t('hardware.freeOf', { free: format.bytes(filesystem.free_bytes), size: format.bytes(filesystem.size_bytes) })}</td>
                    <td>
                      <Bar percent={used} label={t('hardware.usedOf', { mount: filesystem.mount })} tone={used >= ALMOST_FULL ? 'warning' : 'quiet'} />
                    </td>
                  </tr>
                );
              })}
            </tbody>
          </table>
        </Section>
      )}
      {disks.length > 0 && (
        <Section title={t('section.disks')}>
          <table className="sk-plain-table">
            <thead>
              <tr>
                <th scope="col">{t('hardware.name')}</th>
                <th scope="col">{t('hardware.model')}</th>
                <th scope="col" className="sk-numeric">
                  {t('hardware.size')}
                </th>
              </tr>
            </thead>
            <tbody>
              {disks.map((disk) => (
                <tr key={disk.name}>
                  <th scope="row" className="sk-mono">
                    {disk.name}
                  </th>
                  <td>{disk.model}</td>
                  <td className="sk-numeric">{format.bytes(disk.size_bytes)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </Section>
      )}
      {adapters.length > 0 && (
        <Section title={t('section.adapters')}>
          <table className="sk-plain-table">
            <thead>
              <tr>
                <th scope="col">{t('hardware.name')}</th>
                <th scope="col">{t('hardware.addresses')}</th>
                <th scope="col">{t('hardware.mac')}</th>
                <th scope="col">{t('hardware.state')}</th>
                <th scope="col" className="sk-numeric">
                  {t('hardware.speed')}
                </th>
              </tr>
            </thead>
            <tbody>
              {adapters.map((adapter) => (
                <tr key={adapter.name}>
                  <th scope="row" className="sk-mono">
                    {adapter.name}
                  </th>
                  <td className="sk-mono sk-wrap">{adapter.addresses.join(', ')}</td>
                  <td className="sk-mono">{adapter.mac}</td>
                  <td>{adapter.state}</td>
                  <td className="sk-numeric">{adapter.speed_mbps ? t('hardware.mbps', { speed: format.number(adapter.speed_mbps) }) : ''}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </Section>
      )}
      </div>
    </>
  );
}
