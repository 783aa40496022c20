// SPDX-License-Identifier: Apache-2.0
// Changing one's own password, by wish or because the first sign-in requires it.
import { useMutation } from '@tanstack/react-query';
import { useId, useState, type FormEvent } from 'react';
import { useTranslation } from 'react-i18next';
import { useNavigate, useSearchParams } from 'react-router';
import { Mark } from '@/components/Brand';
import { useProblemText } from '@/components/ErrorState';
import { Field, useFieldError } from '@/components/Field';
import { Alert, Button, Form, TextInput } from '@/components/pf';
import { usePageTitle } from '@/hooks/usePageTitle';
import { api, ask } from '@/services/api';
import { asProblem } from '@/services/problem';
import { adoptGrant, sessionStore, signOut } from '@/services/session';
import { useStore } from '@/services/store';
import { showToast } from '@/services/toasts';
import { safeNext } from './guards';

const LEAST_LENGTH = 12; // the contract's minLength of PasswordChange.new

export function PasswordPage() {
  const { t } = useTranslation('session');
  const session = useStore(sessionStore);
  const required = session.phase === 'signed_in' && session.grant.mustChangePassword;
  usePageTitle(t('password.title'));
  return (
    <div className="sk-door">
      <main className="sk-door-card">
        <div className="sk-door-brand">
          <Mark />
          <span>{t('common:product')}</span>
        </div>
        <h1>{t('password.title')}</h1>
        <p className="sk-muted">{required ? t('password.required') : t('password.voluntary')}</p>
        <PasswordForm required={required} />
      </main>
    </div>
  );
}

function PasswordForm({ required }: { required: boolean }) {
  const { t } = useTranslation('session');
  const ids = useId();
  const navigate = useNavigate();
  const [params] = useSearchParams();
  const [values, setValues] = useState({ current: '', next: '', again: '' });
  const [tried, setTried] = useState(false);
  const change = useMutation({
    mutationFn: () => ask(api.POST('/api/v1/session/password', { body: { current: values.current, new: values.next } })),
    onSuccess: (grant) => {
      adoptGrant(grant);
      showToast({ tone: 'success', title: t('password.changed') });
      void navigate(safeNext(params.get('next')), { replace: true });
    },
  });
  const problem = change.error ? asProblem(change.error) : null;
  const fieldError = useFieldError(problem);
  const problemText = useProblemText();
  const short = values.next.length < LEAST_LENGTH;
  const differs = values.next !== values.again;
  const currentError = fieldError('current') ?? (problem?.code === 'password_wrong' ? problemText(problem).title : undefined);
  const nextError = fieldError('new') ?? (problem?.code === 'password_weak' ? problemText(problem).title : undefined);
  const shownElsewhere = Boolean(currentError ?? nextError);

  const submit = (event: FormEvent) => {
    event.preventDefault();
    setTried(true);
    if (!values.current || short || differs || change.isPending) return;
    change.mutate();
  };
  const input = (name: keyof typeof values, autoComplete: string, error: string | undefined) => (
    <TextInput
      id={`${ids}-${name}`}
      type="password"
      value={values[name]}
      onChange={(_event, value) => setValues((before) => ({ ...before, [name]: value }))}
      autoComplete={autoComplete}
      maxLength={256}
      validated={error ? 'error' : 'default'}
      aria-describedby={`${ids}-${name}-help`}
      data-testid={`password-${name}`}
    />
  );
  const shownNext = nextError ?? (tried && short ? t('password.short', { count: LEAST_LENGTH }) : undefined);
  const shownAgain = tried && differs ? t('password.differs') : undefined;

  return (
    <Form onSubmit={submit} noValidate>
      {problem && !shownElsewhere && (
        <Alert variant="danger" isInline isLiveRegion title={problemText(problem).title}>
          {problemText(problem).details.join(' ')}
        </Alert>
      )}
      <Field id={`${ids}-current`} label={t('password.current')} error={currentError} required>
        {input('current', 'current-password', currentError)}
      </Field>
      <Field id={`${ids}-next`} label={t('password.new')} hint={t('password.hint', { count: LEAST_LENGTH })} error={shownNext} required>
        {input('next', 'new-password', shownNext)}
      </Field>
      <Field id={`${ids}-again`} label={t('password.again')} error={shownAgain} required>
        {input('again', 'new-password', shownAgain)}
      </Field>
      <Button type="submit" variant="primary" isBlock isLoading={change.isPending} isDisabled={change.isPending} data-testid="password-submit">
        {t('password.submit')}
      </Button>
      {required ? (
        <Button variant="link" onClick={() => void signOut()}>
          {t('common:shell.signOut')}
        </Button>
      ) : (
        <Button variant="link" onClick={() => void navigate(-1)}>
          {t('common:action.cancel')}
        </Button>
      )}
    </Form>
  );
}
