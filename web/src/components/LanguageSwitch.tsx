// SPDX-License-Identifier: Apache-2.0
// Changes the console's language at once; the account remembers it for messages that are written elsewhere.
import { useTranslation } from 'react-i18next';
import type { Language } from '@/api/types';
import { api } from '@/services/api';
import { LANGUAGES, switchLanguage } from '@/services/i18n';
import { queryClient } from '@/services/queryClient';
import { currentGrant } from '@/services/session';
import { useLanguage } from '@/hooks/useFormat';

async function choose(language: Language) {
  await switchLanguage(language, { remember: true });
  const grant = currentGrant();
  if (!grant || grant.mustChangePassword) return;
  // If the account cannot be told now, this browser still shows the chosen language.
  const answer = await api.PATCH('/api/v1/me', { body: { language } }).catch(() => null);
  if (answer?.data) queryClient.setQueryData(['me'], answer.data);
}

export function LanguageSwitch() {
  const { t } = useTranslation();
  const current = useLanguage();
  return (
    <div className="sk-switch" role="group" aria-label={t('shell.language')}>
      {LANGUAGES.map((language) => (
        <button key={language} type="button" lang={language} aria-pressed={language === current} data-testid={`language-${language}`} onClick={() => void choose(language)}>
          {t(`language.${language}`)}
        </button>
      ))}
    </div>
  );
}
