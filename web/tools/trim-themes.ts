// SPDX-License-Identifier: Apache-2.0
// PostCSS plugin: drops what the console never uses of the kit: other theme variants, fonts and background pictures.
import type { AtRule, Declaration, Plugin, Rule } from 'postcss';

const UNUSED = /\.pf-v6-theme-(glass|felt|redhat|high-contrast|unified)|\.pf-v6-pficon-/;
const UNUSED_FONT = /Italic|RedHatDisplay|pficon/;
const UNUSED_PICTURE = /url\([^)]*Bkg-Generic/;

export function trimThemes(): Plugin {
  return {
    postcssPlugin: 'sekisho-trim-themes',
    AtRule: {
      'font-face': (rule: AtRule) => {
        if (UNUSED_FONT.test(rule.toString())) rule.remove();
      },
    },
    Declaration(declaration: Declaration) {
      if (UNUSED_PICTURE.test(declaration.value)) declaration.value = 'none';
    },
    Rule(rule: Rule) {
      const kept = rule.selectors.filter((selector) => !UNUSED.test(selector.replace(/:not\([^)]*\)/g, '')));
      if (kept.length === 0) rule.remove();
      else if (kept.length < rule.selectors.length) rule.selectors = kept;
    },
  };
}
