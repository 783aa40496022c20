// SPDX-License-Identifier: Apache-2.0
// The typed client of the contract: adds the token and the language, renews once on 401 and repeats the request.
import createClient from 'openapi-fetch';
import type { paths } from '@/api/schema';
import { learnServerTime } from './clock';
import { language } from './i18n';
import { ApiProblem } from './problem';
import { freshGrant, renew } from './session';

export async function authorised(request: Request): Promise<Response> {
  const spare = request.clone(); // a body can be sent only once
  const grant = await freshGrant();
  if (!grant) throw new ApiProblem(401, 'session_ended', null, null);
  const first = await send(request, grant.token);
  if (first.status !== 401 || (await aboutCode(first))) return first;
  const renewed = await renew(grant.token);
  return renewed ? send(spare, renewed.token) : first;
}

/** A wrong code is refused with 401 as well; a new token would not help, and the repetition would count as a second try. */
async function aboutCode(response: Response): Promise<boolean> {
  const body: unknown = await response.clone().json().catch(() => null);
  return typeof body === 'object' && body !== null && 'code' in body && body.code === 'second_factor_wrong';
}

async function send(request: Request, token: string): Promise<Response> {
  request.headers.set('Authorization', `Bearer ${token}`);
  request.headers.set('Accept-Language', language());
  const response = await fetch(request).catch((error: unknown) => {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw ApiProblem.offline();
  });
  learnServerTime(response);
  return response;
}

export const api = createClient<paths>({
  baseUrl: typeof window === 'undefined' ? '' : window.location.origin,
  credentials: 'same-origin',
  fetch: authorised,
});

/** Unwraps an answer: the data, or an ApiProblem thrown. */
export async function ask<T>(answer: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
  const { data, error, response } = await answer;
  if (!response.ok) throw ApiProblem.from(response, error);
  return data as T;
}
