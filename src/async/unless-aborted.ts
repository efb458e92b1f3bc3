/**
 * Waits for a promise that may never settle, until the signal aborts.
 *
 * @throws the signal's reason once it is aborted; the promise's own work goes on
 */
export async function unlessAborted<T>(
  waiting: Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  if (signal === undefined) return await waiting;
  let stop = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
  });
  if (signal.aborted) stop();
  try {
    return await Promise.race([aborted, waiting]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
