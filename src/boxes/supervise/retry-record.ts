/**
 * Records of ends and removals that a full disk has no room for are tried again.
 *
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Services } from '../services/services.ts';

const RETRY_MS = 1000;
/** Every so many attempts the log says that it goes on. */
const LOG_EVERY = 60;

export interface RetryOptions {
  /** What the record is of, for the log. */
  readonly fields: Readonly<Record<string, string>>;
  /** What the log says. */
  readonly failure: string;
  /** Whether another attempt makes sense after this error. */
  readonly isRetried: (error: unknown) => boolean;
}

/**
 * Does the work again, a second after each failure, until it is done.
 *
 * @throws an error that is not retried
 */
export async function retryRecord<T>(
  rt: Pick<Services, 'log'>,
  { fields, failure, isRetried }: RetryOptions,
  work: () => Promise<T>,
): Promise<T> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (!isRetried(error)) throw error;
      if (attempt % LOG_EVERY === 0) rt.log.error(failure, error, { ...fields, attempt });
      await delay(RETRY_MS, undefined, { ref: false });
      // The server may have begun to end meanwhile: the next one goes on.
      if (!isRetried(error)) throw error;
    }
  }
}
