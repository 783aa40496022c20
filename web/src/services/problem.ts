// SPDX-License-Identifier: Apache-2.0
// Every failed request becomes one ApiProblem: the server's problem+json, or our own code when no answer came.
import type { Problem } from '@/api/types';

export class ApiProblem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly problem: Problem | null,
    readonly retryAfter: number | null,
  ) {
    super(problem?.title ?? code);
    this.name = 'ApiProblem';
  }

  static offline(): ApiProblem {
    return new ApiProblem(0, 'offline', null, null);
  }

  static from(response: Response, body: unknown): ApiProblem {
    const problem = isProblem(body) ? body : null;
    return new ApiProblem(response.status, problem?.code ?? 'unexpected_answer', problem, retryAfter(response));
  }

  get field(): string | undefined {
    return this.problem?.field;
  }

  /** Worth asking again by itself: the network or the server had a bad moment. */
  get passing(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

export function asProblem(error: unknown): ApiProblem {
  if (error instanceof ApiProblem) return error;
  if (error instanceof TypeError) return ApiProblem.offline(); // what fetch throws when nothing answered
  throw error;
}

function isProblem(body: unknown): body is Problem {
  return typeof body === 'object' && body !== null && 'code' in body && 'title' in body;
}

/** Seconds of a Retry-After header, which is a number or a date. */
export function retryAfter(response: Response): number | null {
  const value = response.headers.get('Retry-After');
  if (value === null) return null;
  if (/^\d+$/.test(value)) return Number(value);
  const date = Date.parse(value);
  return Number.isNaN(date) ? null : Math.max(0, Math.ceil((date - Date.now()) / 1000));
}
