// SPDX-License-Identifier: Apache-2.0
// A failed read: what the server said, when to come back, and a button to try again.
import { useTranslation } from 'react-i18next';
import { useFormat, useRightName } from '@/hooks/useFormat';
import { asProblem, type ApiProblem } from '@/services/problem';
import { ErrorIcon, RetryIcon } from './icons';
import { Alert, AlertActionLink, Button, EmptyState, EmptyStateActions, EmptyStateBody, EmptyStateFooter } from './pf';

/** Refusals that name what is missing, and who can help. */
const LACKING = { permission_denied: 'administrator', rights_exceeded: 'holder', plan_lacks: 'service' } as const;

/** Title and further sentences of a refusal. The title comes from the server in the person's language. */
export function useProblemText(): (problem: ApiProblem) => { title: string; details: string[] } {
  const { t, i18n } = useTranslation();
  const format = useFormat();
  const rightName = useRightName();
  return (problem) => {
    const own = `failure.${problem.code}`;
    const [lacking] = problem.problem?.allowed ?? [];
    // Rights and parts of the plan are named in words here; the server knows only their codes.
    if (lacking && problem.code in LACKING) {
      const right = problem.code === 'plan_lacks' ? t(`access:entitlement.${lacking}`, { defaultValue: lacking }) : rightName(lacking);
      return { title: t(`failure.lacking.${problem.code}`, { right }), details: [t(`failure.who.${LACKING[problem.code as keyof typeof LACKING]}`)] };
    }
    const title = problem.problem?.title ?? (i18n.exists(own) ? t(own) : t('failure.unexpected_answer'));
    const details: string[] = [];
    const { detail, limit, used, resets_at: resetsAt, trace_id: traceId } = problem.problem ?? {};
    if (detail && detail !== title) details.push(detail);
    if (limit !== undefined && used !== undefined) {
      details.push(t('failure.usage', { used: format.number(used), limit: format.number(limit) }));
    }
    if (resetsAt) details.push(t('failure.resetsAt', { time: format.timeExact(resetsAt) }));
    if (problem.status >= 500 && traceId) details.push(t('failure.trace', { id: traceId }));
    return { title, details };
  };
}

export function ErrorState({ error, onRetry, compact = false }: { error: unknown; onRetry: () => void; compact?: boolean }) {
  const { t } = useTranslation();
  const problem = asProblem(error);
  const text = useProblemText()(problem);
  const absent = problem.code === 'not_found' || problem.code in LACKING; // trying again would not bring it back
  if (compact) {
    return (
      <Alert
        variant="warning"
        isInline
        title={text.title}
        actionLinks={<AlertActionLink onClick={onRetry}>{t('action.retry')}</AlertActionLink>}
      >
        {text.details.join(' ')}
      </Alert>
    );
  }
  return (
    <EmptyState icon={ErrorIcon} titleText={text.title} headingLevel="h2" status="danger" variant="sm" role="alert">
      {text.details.map((detail) => (
        <EmptyStateBody key={detail}>{detail}</EmptyStateBody>
      ))}
      {!absent && (
        <EmptyStateFooter>
          <EmptyStateActions>
            <Button variant="secondary" icon={<RetryIcon />} onClick={onRetry}>
              {t('action.retry')}
            </Button>
          </EmptyStateActions>
        </EmptyStateFooter>
      )}
    </EmptyState>
  );
}
