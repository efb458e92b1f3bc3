/**
 * Work that is done once, however often it is asked for.
 *
 * @module
 */

/** Runs `work` at the first call. Every call returns what that one does. */
export function once<T>(work: () => Promise<T>): () => Promise<T> {
  let done: Promise<T> | undefined;
  return () => {
    done ??= work();
    return done;
  };
}
