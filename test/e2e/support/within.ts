/**
 * A deadline whose error names what was awaited.
 *
 * @module
 */
import { scaled } from '../time-scale.ts';

/** Settles as `promise` does; rejects when that takes longer. */
export async function within<T>(what: string, promise: Promise<T>, ms = 60_000): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`gave up after ${scaled(ms)} ms: ${what}`)),
      scaled(ms),
    );
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
