// SPDX-License-Identifier: Apache-2.0
// One record of the audit: who, when, from where, what changed, and its place in the chain.
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import type { AuditRecord } from '@/api/types';
import { useAuditText } from '@/hooks/useAuditText';
import { useFormat } from '@/hooks/useFormat';
import { useMaySee } from '@/hooks/useMe';
import { objectPath } from '@/services/audit';
import { AuditResultText } from './AuditResult';
import { CopyButton } from './CopyBlock';
import { Facts, Section } from './Facts';
import { SidePanel } from './SidePanel';

export function AuditPanel({ id, record, onClose }: { id: string; record: AuditRecord | undefined; onClose: () => void }) {
  const { t } = useTranslation('audit');
  const text = useAuditText();
  return (
    <SidePanel subject={id} title={record ? text.action(record) : t('panel.label')} label={t('panel.label')} onClose={onClose}>
      {record ? <Details record={record} /> : <p className="sk-muted">{t('panel.elsewhere')}</p>}
    </SidePanel>
  );
}

function Details({ record }: { record: AuditRecord }) {
  const { t } = useTranslation('audit');
  const format = useFormat();
  const text = useAuditText();
  return (
    <>
      <Section title={t('panel.summary')}>
        <Facts
          items={[
            { term: t('column.time'), value: format.timeExact(record.at) },
            { term: t('column.user'), value: <Who record={record} /> },
            { term: t('column.result'), value: <AuditResultText result={record.result} /> },
            { term: t('panel.kind'), value: text.domain(record.domain) },
            { term: t('column.object'), value: <ObjectLink record={record} /> },
            { term: t('column.address'), value: record.address },
            { term: t('panel.code'), value: record.action, mono: true },
          ]}
        />
      </Section>
      <Section title={t('panel.changes')}>
        {record.changes.length === 0 ? (
          <p className="sk-muted">{t('panel.noChanges')}</p>
        ) : (
          <table className="sk-plain-table sk-changes">
            <thead>
              <tr>
                <th scope="col">{t('panel.field')}</th>
                <th scope="col">{t('panel.before')}</th>
                <th scope="col">{t('panel.after')}</th>
              </tr>
            </thead>
            <tbody>
              {record.changes.map((change) => (
                <tr key={change.field}>
                  <th scope="row">{text.field(change)}</th>
                  <td>{change.before ? text.value(change.before, change.field) : <span className="sk-muted">{t('panel.none')}</span>}</td>
                  <td>{change.after ? text.value(change.after, change.field) : <span className="sk-muted">{t('panel.none')}</span>}</td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
      </Section>
      <Section title={t('panel.chain')}>
        <Facts
          items={[
            { term: t('panel.sequence'), value: record.sequence === undefined ? t('panel.unchained') : format.number(record.sequence) },
            {
              term: t('panel.hash'),
              mono: true,
              value: record.hash && (
                <span className="sk-hash">
                  {record.hash} <CopyButton text={record.hash} label={t('panel.copyHash')} />
                </span>
              ),
            },
            { term: t('panel.id'), value: record.id, mono: true },
            { term: t('panel.session'), value: record.session_id, mono: true },
          ]}
        />
      </Section>
    </>
  );
}

function Who({ record }: { record: AuditRecord }) {
  const { t } = useTranslation('audit');
  const may = useMaySee()('users');
  const name = record.user ?? t('nobody');
  return record.user_id && may ? <Link to={`/users?show=${record.user_id}`}>{name}</Link> : <>{name}</>;
}

function ObjectLink({ record }: { record: AuditRecord }) {
  const text = useAuditText();
  const may = useMaySee();
  const path = objectPath(record);
  const name = text.object(record);
  if (!name && !record.object_id) return null;
  const shown = name || record.object_id;
  return path && may(path.page) ? <Link to={path.to}>{shown}</Link> : <>{shown}</>;
}
