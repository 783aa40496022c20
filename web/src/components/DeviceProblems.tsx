// SPDX-License-Identifier: Apache-2.0
import { useTranslation } from 'react-i18next';
import type { DeviceDetail } from '@/api/types';
import { useFormat, useMessageCode } from '@/hooks/useFormat';
import { CheckIcon } from './icons';
import { ListEmpty } from './ListEmpty';
import { SeverityText } from './Status';

export function DeviceProblems({ detail }: { detail: DeviceDetail }) {
  const { t, i18n } = useTranslation('devices');
  const format = useFormat();
  const message = useMessageCode();
  if (detail.problem_list.length === 0) {
    return <ListEmpty icon={CheckIcon} title={t('problems.none')} body={t('problems.noneBody')} />;
  }
  return (
    <ul className="sk-problems">
      {detail.problem_list.map((problem) => {
        const advice = `problems.advice.${problem.code}`;
        return (
          <li key={`${problem.code} ${problem.args?.join(' ') ?? ''}`}>
            <SeverityText severity={problem.severity} />
            <p>{message('problem', problem.code, problem.args)}</p>
            {i18n.exists(advice, { ns: 'devices' }) && <p className="sk-muted">{t(advice)}</p>}
            <p className="sk-muted">{t('problems.since', { time: format.time(problem.since) })}</p>
          </li>
        );
      })}
    </ul>
  );
}
