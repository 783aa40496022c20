// SPDX-License-Identifier: Apache-2.0
// The name of a device; a link only for those who may see devices.
import { Link } from 'react-router';
import { useMaySee } from '@/hooks/useMe';

export function DeviceLink({ id, name, tab, quiet = false }: { id: string; name: string; tab?: string; quiet?: boolean }) {
  const may = useMaySee()('devices');
  if (!may) return <span title={name}>{name}</span>;
  return (
    <Link className={quiet ? 'sk-quiet-link' : undefined} to={tab ? `/devices/${id}/${tab}` : `/devices/${id}`} title={name}>
      {name}
    </Link>
  );
}
