/**
 * Waits for all tasks, and only then rejects with the reason of the first one that failed: no task
 * still runs while the caller cleans up.
 *
 * @module
 */
export async function settleAll<T extends readonly unknown[]>(
  tasks: readonly [...{ [K in keyof T]: Promise<T[K]> }],
): Promise<T> {
  await Promise.allSettled(tasks);
  return (await Promise.all(tasks)) as unknown as T;
}

/**
 * Starts tasks that a signal aborts. The first failure aborts the others, and is thrown once all
 * have settled.
 *
 * @param start starts the tasks with the signal that aborts each of them
 */
export async function settleOrAbort<First, Rest>(
  signal: AbortSignal,
  start: (waiting: AbortSignal) => readonly [Promise<First>, ...Promise<Rest>[]],
): Promise<[First, ...Rest[]]> {
  const others = new AbortController();
  const ending = <T>(task: Promise<T>): Promise<T> =>
    task.catch((error: unknown) => {
      others.abort(error);
      // Of the first failure, whichever task this is.
      throw others.signal.reason;
    });
  const [first, ...rest] = start(AbortSignal.any([signal, others.signal]));
  return await settleAll<[First, ...Rest[]]>([ending(first), ...rest.map(ending)]);
}
