/**
 * Things that are done side by side, of which none must be left working when one fails.
 *
 * @module
 */

/** Waits for all, and only then throws the first failure: whoever cleans up behind it is alone. */
export async function allDone<T extends readonly unknown[]>(
  work: readonly [...{ [K in keyof T]: Promise<T[K]> }],
): Promise<T> {
  await Promise.allSettled(work);
  return (await Promise.all(work)) as unknown as T;
}
