// SPDX-License-Identifier: Apache-2.0
// Short messages about something that the person just did. Texts come ready in the person's language.
import { createStore } from './store';

export interface Toast {
  id: number;
  tone: 'success' | 'danger' | 'info';
  title: string;
  detail?: string;
  link?: { to: string; text: string };
}

const LIFE_MS = 8_000;
let next = 1;

export const toastStore = createStore<readonly Toast[]>([]);

export function showToast(toast: Omit<Toast, 'id'>): void {
  const id = next++;
  toastStore.set([...toastStore.get(), { ...toast, id }].slice(-4));
  if (toast.tone !== 'danger') setTimeout(() => closeToast(id), LIFE_MS); // a refusal stays until it was read
}

export function closeToast(id: number): void {
  toastStore.set(toastStore.get().filter((toast) => toast.id !== id));
}
