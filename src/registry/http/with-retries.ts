/**
 * Repeats requests after cut connections, refusals of a busy server, and failures of the server.
 *
 * @module
 */
import { setTimeout } from 'node:timers/promises';
import { discard } from './error-body.ts';
import type { HttpRequest, HttpResponse, Send } from './message.ts';
import type { TransportLimits } from './transport-limits.ts';
import { Unreached } from './unreached.ts';

const LATER = [408, 429];

/** A user whose host was never reached should learn that soon. */
const ATTEMPTS_TO_REACH = 2;

export interface Persistence {
  /** Whether the request may be sent again although it may have taken effect. */
  readonly idempotent: boolean;
  /** Whether the host has answered before, and so is worth waiting for. */
  readonly reached: boolean;
}

/**
 * Sends the request with attempts and pauses as the limits say. Returns the last answer, or throws
 * the last error.
 */
export function withRetries(
  send: Send,
  limits: TransportLimits,
  { idempotent, reached }: Persistence,
): Send {
  return async (request) => {
    for (let attempt = 1; ; attempt += 1) {
      const last = attempt >= limits.attempts;
      let pause: number;
      try {
        const response = await send(request);
        if (last || !isPassing(response.status, idempotent)) return response;
        const asked = retryAfter(response.headers['retry-after'], Date.now());
        // A registry that demands so long a pause counts as failed now.
        if (asked !== undefined && asked > limits.longestPauseMs) return response;
        await discard(response);
        pause = Math.max(asked ?? 0, backoff(attempt, limits));
      } catch (error) {
        const enough = last || (!reached && attempt >= ATTEMPTS_TO_REACH);
        if (enough || !mayRepeat(error, idempotent)) throw error;
        pause = backoff(attempt, limits);
      }
      await sleep(pause, request);
    }
  };
}

/**
 * Milliseconds that `Retry-After` asks for (RFC 9110, 10.2.3): seconds, or the date of the next
 * attempt.
 *
 * @param now in milliseconds since 1970
 */
export function retryAfter(field: string | undefined, now: number): number | undefined {
  const text = field?.trim() ?? '';
  if (/^\d{1,10}$/.test(text)) return Number(text) * 1000;
  if (!/^[A-Z][a-z]+,? [\w: -]{10,40} GMT$/.test(text)) return undefined;
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(date - now, 0);
}

function isPassing(status: HttpResponse['status'], idempotent: boolean): boolean {
  return LATER.includes(status) || (idempotent && status >= 500 && status !== 501);
}

function mayRepeat(error: unknown, idempotent: boolean): boolean {
  if (!(error instanceof Unreached)) return false;
  return error.again === 'always' || (error.again === 'if-idempotent' && idempotent);
}

/** Waits between half of the pause and all of it, so that many clients do not return at once. */
function backoff(attempt: number, { backoffMs, longestPauseMs }: TransportLimits): number {
  const whole = Math.min(backoffMs * 2 ** (attempt - 1), longestPauseMs);
  return whole * (0.5 + Math.random() / 2);
}

async function sleep(milliseconds: number, { signal }: HttpRequest): Promise<void> {
  try {
    await setTimeout(milliseconds, undefined, signal === undefined ? {} : { signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}
