/**
 * Waits for all tasks, and only then rejects with the reason of the first one that failed: no task still runs while the
 * caller cleans up.
 *
 * @module
 */
export async function settleAll<T extends readonly unknown[]>(
  tasks: readonly [...{ [K in keyof T]: Promise<T[K]> }],
): Promise<T> {
  await Promise.allSettled(tasks);
  return (await Promise.all(tasks)) as unknown as T;
}
