// SPDX-License-Identifier: Apache-2.0
// A labelled input with a hint, and the server's refusal of just this field beneath it.
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import type { ApiProblem } from '@/services/problem';
import { useProblemText } from './ErrorState';
import { FormGroup, FormHelperText, HelperText, HelperTextItem } from './pf';

interface Props {
  id: string;
  label: string;
  hint?: string;
  required?: boolean;
  /** A text of ours, or the text of a problem for this field. */
  error?: string | undefined;
  children: ReactNode;
}

export function Field({ id, label, hint, required = false, error, children }: Props) {
  return (
    <FormGroup label={label} fieldId={id} isRequired={required}>
      {children}
      {(error || hint) && (
        <FormHelperText>
          <HelperText id={`${id}-help`} isLiveRegion={Boolean(error)}>
            <HelperTextItem variant={error ? 'error' : 'default'}>{error ?? hint}</HelperTextItem>
          </HelperText>
        </FormHelperText>
      )}
    </FormGroup>
  );
}

/** Text of a problem if it is about this field or a part of it (scan.targets[3] is part of scan.targets). */
export function useFieldError(problem: ApiProblem | null): (field: string) => string | undefined {
  const { t } = useTranslation();
  const problemText = useProblemText();
  return (field) => {
    const named = problem?.field;
    if (!problem || !named) return undefined;
    if (named !== field && !named.startsWith(`${field}[`) && !named.startsWith(`${field}.`)) return undefined;
    const allowed = problem.problem?.allowed;
    const title = problem.problem?.title ?? problem.code;
    if (problem.code === 'rights_exceeded') return problemText(problem).title; // names the right in words itself
    return allowed?.length ? t('failure.allowed', { title, allowed: allowed.join(', ') }) : title;
  };
}
