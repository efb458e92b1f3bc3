/**
 * The health check of Docker's create document.
 *
 * @module
 */
import type * as z from 'zod';
import type { HealthRequest } from '../../../../boxes/create/create-request.ts';
import { isProbe } from '../../../../boxes/create/merge-health.ts';
import type { Healthcheck } from '../../../../docker-api/containers/healthcheck.ts';
import { A3sError } from '../../../../errors.ts';

const MILLISECOND = 1_000_000;

/**
 * Undefined: the image's own check holds unchanged.
 *
 * @throws A3sError `invalid-argument`, in Docker's words
 */
export function healthRequest(
  asked: z.output<typeof Healthcheck> | undefined,
): HealthRequest | undefined {
  if (asked === undefined) return undefined;
  const { Test: test, Retries: retries } = asked;
  checkTest(test);
  for (const name of ['Interval', 'Timeout', 'StartPeriod', 'StartInterval'] as const) {
    if (asked[name] === 0 || asked[name] >= MILLISECOND) continue;
    throw new A3sError('invalid-argument', `${name} in Healthcheck cannot be less than 1ms`);
  }
  if (retries < 0) {
    throw new A3sError('invalid-argument', 'Retries in Healthcheck cannot be negative');
  }
  const { Interval, Timeout, StartPeriod, StartInterval } = asked;
  const times = [Interval, Timeout, StartPeriod, StartInterval];
  if (test.length === 0 && retries === 0 && times.every((time) => time === 0)) return undefined;
  return {
    ...{ test, interval: Interval, timeout: Timeout },
    ...{ startPeriod: StartPeriod, startInterval: StartInterval, retries },
  };
}

/**
 * The warning for a test that begins with no known type. Docker accepts such a test, and never runs
 * it.
 */
export function healthWarnings(asked: HealthRequest | undefined): string[] {
  const [kind] = asked?.test ?? [];
  if (kind === undefined || kind === 'NONE' || isProbe([kind])) return [];
  return [
    `Healthcheck.Test: unknown type '${kind.slice(0, 32)}' (expected 'CMD' or 'CMD-SHELL'); no health check runs`,
  ];
}

function checkTest([kind, ...words]: readonly string[]): void {
  if (kind === undefined || !isProbe([kind])) return;
  if (kind === 'CMD' && words.length > 0) return;
  if (kind === 'CMD-SHELL' && words.length === 1) return;
  throw new A3sError(
    'invalid-argument',
    `Invalid Test in Healthcheck: ${JSON.stringify([kind, ...words]).slice(0, 128)}`,
    { remedy: 'It is ["NONE"], ["CMD", PROGRAM, ARGUMENT…] or ["CMD-SHELL", LINE].' },
  );
}
