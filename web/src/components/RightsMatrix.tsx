// SPDX-License-Identifier: Apache-2.0
// Rights as a table that one can read: what somebody may do in rows, how much of it in columns. Each level includes those
// before it, so the row is filled up to the chosen one.
import { useId } from 'react';
import { useTranslation } from 'react-i18next';
import { ACCESS_LEVELS, type Access, type Functionality, type Right } from '@/api/types';
import { effective } from '@/services/access';
import { CheckIcon, RefusedIcon } from './icons';
import { Status } from './Status';

type Column = 'allow' | 'deny';

interface Props {
  rights: readonly Right[];
  column: Column;
  onChange: (functionality: Functionality, level: Access) => void;
  /** Text of a refusal for a row. */
  errorOf?: (index: number) => string | undefined;
}

/** Whether a cell lies within what is chosen: up to the level for allow, from it on for deny. */
export function filled(column: Column, level: Access, chosen: Access): boolean {
  const [at, mark] = [ACCESS_LEVELS.indexOf(level), ACCESS_LEVELS.indexOf(chosen)];
  return at > 0 && mark > 0 && (column === 'allow' ? at <= mark : at >= mark);
}

export function RightsMatrix({ rights, column, onChange, errorOf }: Props) {
  const { t } = useTranslation('access');
  const id = useId();
  return (
    <table className={`sk-matrix sk-matrix-${column}`} data-testid={`matrix-${column}`}>
      <caption className="sk-hidden">{t(`matrix.${column}`)}</caption>
      <thead>
        <tr>
          <th scope="col">{t('matrix.functionality')}</th>
          {ACCESS_LEVELS.map((level) => (
            <th key={level} scope="col" id={`${id}-${level}`}>
              {t(column === 'allow' ? `level.${level}` : `denyLevel.${level}`)}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rights.map((right, index) => {
          const chosen = right[column];
          const error = errorOf?.(index);
          const name = t(`functionality.${right.functionality}`);
          return (
            <tr key={right.functionality}>
              <th scope="row" id={`${id}-${right.functionality}`}>
                <span className="sk-matrix-name">{name}</span>
                {column === 'allow' && <span className="sk-matrix-about">{t(`about.${right.functionality}`)}</span>}
                {error && (
                  <span className="sk-danger" role="alert">
                    {error}
                  </span>
                )}
              </th>
              {ACCESS_LEVELS.map((level) => (
                <td key={level} className={filled(column, level, chosen) ? 'sk-filled' : undefined}>
                  <label title={t('right', { functionality: name, level: t(column === 'allow' ? `level.${level}` : `denyLevel.${level}`) })}>
                    <input
                      type="radio"
                      name={`${id}-${column}-${right.functionality}`}
                      value={level}
                      checked={chosen === level}
                      onChange={() => onChange(right.functionality, level)}
                      aria-label={t('right', { functionality: name, level: t(column === 'allow' ? `level.${level}` : `denyLevel.${level}`) })}
                      data-testid={`${column}-${right.functionality}-${level}`}
                    />
                  </label>
                </td>
              ))}
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

/** The same to read: the level in words, and what is denied. */
export function RightsList({ rights }: { rights: readonly Right[] }) {
  const { t } = useTranslation('access');
  return (
    <table className="sk-plain-table sk-rights">
      <thead>
        <tr>
          <th scope="col">{t('matrix.functionality')}</th>
          <th scope="col">{t('matrix.allowed')}</th>
          <th scope="col">{t('matrix.denied')}</th>
        </tr>
      </thead>
      <tbody>
        {rights.map((right) => (
          <tr key={right.functionality}>
            <th scope="row">{t(`functionality.${right.functionality}`)}</th>
            <td>{effective(right) === 'none' ? <span className="sk-muted">{t('level.none')}</span> : <Status tone="plain" icon={<CheckIcon />}>{t(`level.${effective(right)}`)}</Status>}</td>
            <td>{right.deny !== 'none' && <Status icon={<RefusedIcon />}>{t(`denyLevel.${right.deny}`)}</Status>}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
