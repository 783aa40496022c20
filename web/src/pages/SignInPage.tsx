// SPDX-License-Identifier: Apache-2.0
// The door. Says plainly why somebody cannot come in: wrong, locked until, suspended, too many tries.
import { useEffect, useId, useRef, useState, type FormEvent } from 'react';
import { useTranslation } from 'react-i18next';
import type { Language } from '@/api/types';
import { Mark } from '@/components/Brand';
import { useProblemText } from '@/components/ErrorState';
import { Field, useFieldError } from '@/components/Field';
import { Alert, Button, Form, FormSelect, FormSelectOption, TextInput } from '@/components/pf';
import { useLanguage } from '@/hooks/useFormat';
import { usePageTitle } from '@/hooks/usePageTitle';
import { formatCountdown } from '@/services/format';
import { LANGUAGES, switchLanguage } from '@/services/i18n';
import { readPref, writePref } from '@/services/prefs';
import { asProblem, type ApiProblem } from '@/services/problem';
import { cleanCode } from '@/services/secondFactor';
import { sessionStore, signIn } from '@/services/session';
import { useStore } from '@/services/store';

const LEAST_CODE = 6; // the contract's minLength of SignIn.code

export function SignInPage() {
  const { t } = useTranslation('session');
  usePageTitle(t('signIn.title'));
  return (
    <div className="sk-door">
      <main className="sk-door-card">
        <div className="sk-door-brand">
          <Mark />
          <span>{t('common:product')}</span>
        </div>
        <h1>{t('signIn.title')}</h1>
        <SignInForm />
      </main>
    </div>
  );
}

function SignInForm() {
  const { t } = useTranslation('session');
  const language = useLanguage();
  const ids = useId();
  const session = useStore(sessionStore);
  const [name, setName] = useState(() => readPref('name') ?? '');
  const [password, setPassword] = useState('');
  // Asked for after name and password were right; both stay in memory until then.
  const [asked, setAsked] = useState(false);
  const [code, setCode] = useState('');
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<ApiProblem | null>(null);
  const [waitUntil, setWaitUntil] = useState(0);
  const wait = useCountdown(waitUntil);
  const fieldError = useFieldError(problem);
  const nameInput = useRef<HTMLInputElement>(null);
  const passwordInput = useRef<HTMLInputElement>(null);
  const codeInput = useRef<HTMLInputElement>(null);
  const reason = session.phase === 'signed_out' && !problem ? session.reason : null;

  useEffect(() => {
    if (asked) codeInput.current?.focus();
    else (nameInput.current?.value ? passwordInput : nameInput).current?.focus();
  }, [asked]);

  const back = (refused: ApiProblem | null) => {
    setAsked(false);
    setCode('');
    setPassword('');
    setProblem(refused);
  };

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    if (busy || wait > 0) return;
    setBusy(true);
    try {
      writePref('name', name.trim());
      await signIn(name.trim(), password, language, asked ? cleanCode(code) : undefined);
    } catch (error) {
      const refused = asProblem(error);
      if (refused.code === 'second_factor_required') {
        setProblem(null);
        setAsked(true);
        return;
      }
      const again = asked && (refused.code === 'second_factor_wrong' || refused.passing);
      if (again) {
        setProblem(refused);
        setCode('');
        codeInput.current?.focus();
      } else {
        back(refused);
      }
      setWaitUntil(refused.retryAfter === null ? 0 : Date.now() + refused.retryAfter * 1000);
      passwordInput.current?.focus();
    } finally {
      setBusy(false);
    }
  };

  if (asked) {
    const codeError = fieldError('code') ?? (problem?.code === 'second_factor_wrong' ? problem.message : undefined);
    return (
      <Form onSubmit={(event) => void submit(event)} noValidate>
        {problem && !codeError && <SignInRefusal problem={problem} wait={wait} />}
        <p className="sk-muted">{t('signIn.codeFor', { name: name.trim() })}</p>
        <Field id={`${ids}-code`} label={t('signIn.code')} hint={t('signIn.codeHint')} error={codeError} required>
          <TextInput
            id={`${ids}-code`}
            ref={codeInput}
            value={code}
            onChange={(_event, value) => setCode(value)}
            autoComplete="one-time-code"
            autoCapitalize="none"
            spellCheck={false}
            maxLength={24}
            isRequired
            validated={codeError ? 'error' : 'default'}
            aria-describedby={`${ids}-code-help`}
            data-testid="sign-in-code"
          />
        </Field>
        <Button type="submit" variant="primary" isBlock isLoading={busy} isDisabled={busy || wait > 0 || cleanCode(code).length < LEAST_CODE} data-testid="sign-in-submit">
          {wait > 0 ? t('signIn.wait', { time: formatCountdown(wait) }) : t('signIn.submit')}
        </Button>
        <Button variant="link" onClick={() => back(null)}>
          {t('signIn.other')}
        </Button>
      </Form>
    );
  }
  return (
    <Form onSubmit={(event) => void submit(event)} noValidate>
      {reason && reason !== 'signed_out' && <Alert variant="info" isInline title={t(`signIn.reason.${reason}`)} />}
      {problem && <SignInRefusal problem={problem} wait={wait} />}
      <Field id={`${ids}-language`} label={t('signIn.language')}>
        <FormSelect id={`${ids}-language`} value={language} onChange={(_event, value) => void switchLanguage(value as Language, { remember: true })} data-testid="sign-in-language">
          {LANGUAGES.map((code) => (
            <FormSelectOption key={code} value={code} label={t(`common:language.${code}`)} lang={code} />
          ))}
        </FormSelect>
      </Field>
      <Field id={`${ids}-name`} label={t('signIn.name')} hint={t('signIn.nameHint')} error={fieldError('name')} required>
        <TextInput
          id={`${ids}-name`}
          ref={nameInput}
          value={name}
          onChange={(_event, value) => setName(value)}
          autoComplete="username"
          autoCapitalize="none"
          spellCheck={false}
          maxLength={200}
          isRequired
          aria-describedby={`${ids}-name-help`}
          data-testid="sign-in-name"
        />
      </Field>
      <Field id={`${ids}-password`} label={t('signIn.password')} error={fieldError('password')} required>
        <TextInput
          id={`${ids}-password`}
          ref={passwordInput}
          type="password"
          value={password}
          onChange={(_event, value) => setPassword(value)}
          autoComplete="current-password"
          maxLength={256}
          isRequired
          data-testid="sign-in-password"
        />
      </Field>
      <Button type="submit" variant="primary" isBlock isLoading={busy} isDisabled={busy || wait > 0 || !name.trim() || !password} data-testid="sign-in-submit">
        {wait > 0 ? t('signIn.wait', { time: formatCountdown(wait) }) : t('signIn.submit')}
      </Button>
    </Form>
  );
}

function SignInRefusal({ problem, wait }: { problem: ApiProblem; wait: number }) {
  const { t } = useTranslation('session');
  const text = useProblemText()(problem);
  const tone = problem.passing ? 'warning' : 'danger';
  return (
    <Alert variant={tone} isInline isLiveRegion title={text.title} data-testid="sign-in-error" data-code={problem.code}>
      {text.details.map((detail) => (
        <p key={detail}>{detail}</p>
      ))}
      {problem.code === 'tenant_suspended' && <p>{t('signIn.suspended')}</p>}
      {wait > 0 && <p>{t('signIn.again', { time: formatCountdown(wait) })}</p>}
    </Alert>
  );
}

/** Milliseconds left until a moment; ticks only while something is left. */
function useCountdown(until: number): number {
  const [now, setNow] = useState(Date.now);
  const left = Math.max(0, until - now);
  useEffect(() => {
    setNow(Date.now());
    if (until <= Date.now()) return;
    const timer = setInterval(() => {
      setNow(Date.now());
      if (until <= Date.now()) clearInterval(timer);
    }, 500);
    return () => clearInterval(timer);
  }, [until]);
  return left;
}
