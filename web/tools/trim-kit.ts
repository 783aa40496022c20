// SPDX-License-Identifier: Apache-2.0
// Vite plugin: drops what the console never uses of the kit's styles: other theme variants, fonts, background pictures.
// It runs before Vite resolves addresses, so that the files behind them are not shipped either.
import postcss, { type Rule } from 'postcss';
import type { Plugin } from 'vite';

const UNUSED_RULE = /\.pf-v6-theme-(glass|felt|redhat|high-contrast|unified)|\.pf-v6-pficon-/;
const UNUSED_FONT = /Italic|RedHatDisplay|pficon/;
const UNUSED_PICTURE = /url\([^)]*Bkg-Generic/;

function trimRule(rule: Rule): void {
  const kept = rule.selectors.filter((selector) => !UNUSED_RULE.test(selector.replace(/:not\([^)]*\)/g, '')));
  if (kept.length === 0) rule.remove();
  else if (kept.length < rule.selectors.length) rule.selectors = kept;
}

export function trimKit(): Plugin {
  return {
    name: 'sekisho-trim-kit',
    enforce: 'pre',
    transform(code, id) {
      if (!/@patternfly\/.*\.css$/.test(id)) return null;
      const sheet = postcss.parse(code);
      sheet.walkRules(trimRule);
      sheet.walkAtRules('font-face', (rule) => {
        if (UNUSED_FONT.test(rule.toString())) rule.remove();
      });
      sheet.walkDecls((declaration) => {
        if (UNUSED_PICTURE.test(declaration.value)) declaration.value = 'none';
      });
      return { code: sheet.toString(), map: null };
    },
  };
}
