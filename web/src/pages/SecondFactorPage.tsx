// SPDX-License-Identifier: Apache-2.0
// One's own second factor: set up by wish or because it is required, or given up. Nothing of it is kept by the console.
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useId, useRef, useState, type FormEvent, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { useNavigate, useSearchParams } from 'react-router';
import type { Me, TwoFactorSecret } from '@/api/types';
import { Mark } from '@/components/Brand';
import { CopyBlock } from '@/components/CopyBlock';
import { ErrorState, useProblemText } from '@/components/ErrorState';
import { Field, useFieldError } from '@/components/Field';
import { CheckIcon, DownloadIcon } from '@/components/icons';
import { Alert, Button, Form, Skeleton, TextInput } from '@/components/pf';
import { QrCode } from '@/components/QrCode';
import { Status } from '@/components/Status';
import { queries } from '@/hooks/queries';
import { usePageTitle } from '@/hooks/usePageTitle';
import { api, ask } from '@/services/api';
import { download } from '@/services/download';
import { asProblem, type ApiProblem } from '@/services/problem';
import { cleanCode, inFours } from '@/services/secondFactor';
import { signOut } from '@/services/session';
import { showToast } from '@/services/toasts';
import { safeNext } from './guards';

export function SecondFactorPage() {
  const { t } = useTranslation('session');
  const me = useQuery(queries.me());
  usePageTitle(t('factor.title'));
  return (
    <div className="sk-door">
      <main className="sk-door-card">
        <div className="sk-door-brand">
          <Mark />
          <span>{t('common:product')}</span>
        </div>
        {me.isError && !me.data && <ErrorState error={me.error} onRetry={() => void me.refetch()} />}
        {me.isPending && <Skeleton height="120px" screenreaderText={t('common:state.loading')} />}
        {me.data && <Steps me={me.data} />}
      </main>
    </div>
  );
}

function Steps({ me }: { me: Me }) {
  const { t } = useTranslation('session');
  const client = useQueryClient();
  const navigate = useNavigate();
  const [params] = useSearchParams();
  const [begun, setBegun] = useState<TwoFactorSecret | null>(null);
  const [codes, setCodes] = useState<readonly string[] | null>(null);
  const forced = me.two_factor_required && !me.two_factor;
  const leave = () => void navigate(safeNext(params.get('next')), { replace: true });

  if (codes) {
    return (
      <Step title={t('factor.codes.title')} about={t('factor.codes.body')}>
        <Codes
          codes={codes}
          account={`${me.tenant}/${me.name}`}
          onDone={() => {
            // Only now: the gate would lead away from the codes before they were read.
            void client.invalidateQueries({ queryKey: ['me'] }).then(leave);
          }}
        />
      </Step>
    );
  }
  if (begun) {
    return (
      <Step title={t('factor.scan.title')} about={t('factor.scan.body')}>
        <Confirm secret={begun} onConfirmed={setCodes} onBack={() => setBegun(null)} />
      </Step>
    );
  }
  if (me.two_factor) {
    return (
      <Step title={t('factor.title')} about={t(me.two_factor_required ? 'factor.on.bodyRequired' : 'factor.on.body')}>
        <p>
          <Status icon={<CheckIcon />}>{t('factor.on.state')}</Status>
        </p>
        <GiveUp onCancel={leave} />
      </Step>
    );
  }
  return (
    <Step title={t('factor.title')} about={t(forced ? 'factor.begin.required' : 'factor.begin.body')}>
      <Begin forced={forced} onBegun={setBegun} onCancel={leave} />
    </Step>
  );
}

/** The heading takes the focus at each further step. */
function Step({ title, about, children }: { title: string; about: string; children: ReactNode }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus({ preventScroll: true }), [title]);
  return (
    <>
      <h1 ref={heading} tabIndex={-1}>
        {title}
      </h1>
      <p className="sk-muted">{about}</p>
      {children}
    </>
  );
}

function Refusal({ problem }: { problem: ApiProblem }) {
  const text = useProblemText()(problem);
  return (
    <Alert variant="danger" isInline isLiveRegion title={text.title}>
      {text.details.join(' ')}
    </Alert>
  );
}

/** Giving the password again: whoever finds an open console must not change how one signs in. */
function PasswordForm({ error, busy, submit, onSubmit, danger = false, children }: { error: unknown; busy: boolean; submit: string; onSubmit: (password: string) => void; danger?: boolean; children: ReactNode }) {
  const { t } = useTranslation('session');
  const id = useId();
  const [password, setPassword] = useState('');
  const problem = error ? asProblem(error) : null;
  const fieldError = useFieldError(problem)('password') ?? (problem?.code === 'password_wrong' ? problem.message : undefined);
  return (
    <Form
      noValidate
      onSubmit={(event: FormEvent) => {
        event.preventDefault();
        if (password && !busy) onSubmit(password);
      }}
    >
      {problem && !fieldError && <Refusal problem={problem} />}
      <Field id={id} label={t('password.current')} error={fieldError} required>
        <TextInput id={id} type="password" value={password} maxLength={256} autoComplete="current-password" validated={fieldError ? 'error' : 'default'} onChange={(_event, value) => setPassword(value)} aria-describedby={`${id}-help`} data-testid="factor-password" />
      </Field>
      <Button type="submit" variant={danger ? 'danger' : 'primary'} isBlock isLoading={busy} isDisabled={busy || !password} data-testid="factor-submit">
        {submit}
      </Button>
      {children}
    </Form>
  );
}

function Begin({ forced, onBegun, onCancel }: { forced: boolean; onBegun: (secret: TwoFactorSecret) => void; onCancel: () => void }) {
  const { t } = useTranslation('session');
  const begin = useMutation({
    mutationFn: (password: string) => ask(api.POST('/api/v1/me/two-factor', { body: { password } })),
    onSuccess: onBegun,
  });
  return (
    <PasswordForm error={begin.error} busy={begin.isPending} submit={t('factor.begin.submit')} onSubmit={(password) => begin.mutate(password)}>
      {forced ? (
        <Button variant="link" onClick={() => void signOut()}>
          {t('common:shell.signOut')}
        </Button>
      ) : (
        <Button variant="link" onClick={onCancel}>
          {t('common:action.cancel')}
        </Button>
      )}
    </PasswordForm>
  );
}

function GiveUp({ onCancel }: { onCancel: () => void }) {
  const { t } = useTranslation('session');
  const client = useQueryClient();
  const end = useMutation({
    mutationFn: (password: string) => ask(api.DELETE('/api/v1/me/two-factor', { body: { password } })),
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: ['me'] });
      showToast({ tone: 'success', title: t('factor.ended') });
      onCancel();
    },
  });
  return (
    <PasswordForm danger error={end.error} busy={end.isPending} submit={t('factor.on.end')} onSubmit={(password) => end.mutate(password)}>
      <Button variant="link" onClick={onCancel}>
        {t('common:action.cancel')}
      </Button>
    </PasswordForm>
  );
}

function Confirm({ secret, onConfirmed, onBack }: { secret: TwoFactorSecret; onConfirmed: (codes: readonly string[]) => void; onBack: () => void }) {
  const { t } = useTranslation('session');
  const id = useId();
  const [code, setCode] = useState('');
  const confirm = useMutation({
    mutationFn: () => ask(api.POST('/api/v1/me/two-factor/confirm', { body: { code: cleanCode(code) } })),
    onSuccess: ({ codes }) => onConfirmed(codes),
  });
  const problem = confirm.error ? asProblem(confirm.error) : null;
  const error = useFieldError(problem)('code') ?? (problem?.code === 'second_factor_wrong' ? problem.message : undefined);
  const ready = /^\d{6}$/.test(cleanCode(code));
  return (
    <Form
      noValidate
      onSubmit={(event: FormEvent) => {
        event.preventDefault();
        if (ready && !confirm.isPending) confirm.mutate();
      }}
    >
      {problem && !error && <Refusal problem={problem} />}
      <div className="sk-qr-frame">
        <QrCode text={secret.uri} label={t('factor.scan.qr')} />
      </div>
      <div>
        <p className="sk-muted">{t('factor.scan.manual')}</p>
        <CopyBlock text={inFours(secret.secret)} label={t('factor.scan.secret')} testId="factor-secret" />
      </div>
      <Field id={id} label={t('factor.scan.code')} hint={t('factor.scan.codeHint')} error={error} required>
        <TextInput id={id} value={code} maxLength={12} inputMode="numeric" autoComplete="one-time-code" validated={error ? 'error' : 'default'} onChange={(_event, value) => setCode(value)} aria-describedby={`${id}-help`} data-testid="factor-code" />
      </Field>
      <Button type="submit" variant="primary" isBlock isLoading={confirm.isPending} isDisabled={confirm.isPending || !ready} data-testid="factor-confirm">
        {t('factor.scan.submit')}
      </Button>
      <Button variant="link" onClick={onBack}>
        {t('common:action.cancel')}
      </Button>
    </Form>
  );
}

function Codes({ codes, account, onDone }: { codes: readonly string[]; account: string; onDone: () => void }) {
  const { t } = useTranslation('session');
  const text = codes.join('\n');
  return (
    <>
      <Alert variant="warning" isInline title={t('factor.codes.once')} />
      <CopyBlock text={text} label={t('factor.codes.label')} testId="recovery-codes" />
      <div className="sk-stack">
        <Button variant="secondary" isBlock icon={<DownloadIcon />} onClick={() => download(`sekisho-recovery-codes-${account.replace(/\W+/g, '-')}.txt`, 'text/plain', `Sekisho ${account}\n\n${text}\n`)} data-testid="download-codes">
          {t('factor.codes.download')}
        </Button>
        <Button variant="primary" isBlock onClick={onDone} data-testid="factor-done">
          {t('factor.codes.done')}
        </Button>
      </div>
    </>
  );
}
