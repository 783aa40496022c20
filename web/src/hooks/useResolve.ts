// SPDX-License-Identifier: Apache-2.0
// Marks detections resolved or unresolved, one or many.
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { useProblemText } from '@/components/ErrorState';
import { api, ask } from '@/services/api';
import { asProblem } from '@/services/problem';
import { showToast } from '@/services/toasts';

/** Most ids of one request (the contract's maxItems). */
export const MOST_DETECTIONS = 500;

export function useResolve(onDone?: () => void) {
  const { t } = useTranslation('detections');
  const client = useQueryClient();
  const problemText = useProblemText();
  return useMutation({
    mutationFn: async ({ ids, resolved }: { ids: string[]; resolved: boolean }) => {
      let changed = 0;
      for (let at = 0; at < ids.length; at += MOST_DETECTIONS) {
        const answer = await ask(api.POST('/api/v1/detections/resolve', { body: { ids: ids.slice(at, at + MOST_DETECTIONS), resolved } }));
        changed += answer.changed;
      }
      return changed;
    },
    onSuccess: (changed, { resolved }) => {
      showToast({ tone: 'success', title: t(resolved ? 'resolve.done' : 'resolve.undone', { count: changed }) });
      onDone?.();
    },
    onError: (error) => showToast({ tone: 'danger', title: problemText(asProblem(error)).title }),
    onSettled: () => {
      for (const key of ['detections', 'detection', 'overview', 'devices', 'device']) void client.invalidateQueries({ queryKey: [key] });
    },
  });
}
