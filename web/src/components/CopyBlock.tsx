// SPDX-License-Identifier: Apache-2.0
// Text to be copied exactly: commands, secrets, hashes.
import { useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { CheckIcon, CopyIcon } from './icons';
import { Button } from './pf';

const CONFIRM_MS = 2_000;

export function CopyButton({ text, label }: { text: string; label: string }) {
  const { t } = useTranslation();
  const [copied, setCopied] = useState(false);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  const copy = async () => {
    await navigator.clipboard.writeText(text).catch(() => undefined);
    setCopied(true);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => setCopied(false), CONFIRM_MS);
  };
  return (
    <>
      <Button variant="plain" size="sm" aria-label={label} title={label} onClick={() => void copy()} icon={copied ? <CheckIcon /> : <CopyIcon />} />
      <span className="sk-hidden" role="status">
        {copied ? t('action.copied') : ''}
      </span>
    </>
  );
}

export function CopyBlock({ text, label, testId }: { text: string; label: string; testId?: string }) {
  const { t } = useTranslation();
  return (
    <div className="sk-copy">
      <pre tabIndex={0} role="region" aria-label={label} data-testid={testId}>
        {text}
      </pre>
      <CopyButton text={text} label={t('action.copyNamed', { name: label })} />
    </div>
  );
}
