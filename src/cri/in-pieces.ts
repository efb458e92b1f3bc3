/**
 * Lists that are answered in several messages.
 *
 * @module
 */

/** Of one message: kubelet takes 16 MiB at most, and an entry has some kilobytes. */
const AT_ONCE = 256;

export function* inPieces<T>(all: readonly T[]): Generator<T[]> {
  for (let from = 0; from < all.length; from += AT_ONCE) yield all.slice(from, from + AT_ONCE);
}
