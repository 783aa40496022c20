// SPDX-License-Identifier: Apache-2.0
import { useTranslation } from 'react-i18next';
import { useStore } from '@/services/store';
import { chooseTheme, THEMES, themeStore } from '@/services/theme';
import { MoonIcon, SunIcon, SystemIcon } from './icons';

const ICONS = { system: SystemIcon, light: SunIcon, dark: MoonIcon };

export function ThemeSwitch() {
  const { t } = useTranslation();
  const current = useStore(themeStore);
  return (
    <div className="sk-switch" role="group" aria-label={t('shell.theme')}>
      {THEMES.map((theme) => {
        const Icon = ICONS[theme];
        return (
          <button key={theme} type="button" aria-pressed={theme === current} aria-label={t(`theme.${theme}`)} title={t(`theme.${theme}`)} data-testid={`theme-${theme}`} onClick={() => chooseTheme(theme)}>
            <Icon />
          </button>
        );
      })}
    </div>
  );
}
