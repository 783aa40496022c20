// SPDX-License-Identifier: Apache-2.0
// The only door to the icon set, by meaning rather than by picture.
const ICONS = '';
void ICONS;
