// SPDX-License-Identifier: Apache-2.0
// PostCSS plugin: drops rules of theme variants that the console never switches on. They are a third of the style sheet.
import type { Plugin, Rule } from 'postcss';

const UNUSED = /\.pf-v6-theme-(glass|felt|redhat|high-contrast|unified)|\.pf-v6-pficon-/;

export function trimThemes(): Plugin {
  return {
    postcssPlugin: 'sekisho-trim-themes',
    Rule(rule: Rule) {
      const kept = rule.selectors.filter((selector) => !UNUSED.test(selector.replace(/:not\([^)]*\)/g, '')));
      if (kept.length === 0) rule.remove();
      else if (kept.length < rule.selectors.length) rule.selectors = kept;
    },
  };
}
