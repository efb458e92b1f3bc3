/**
 * Word of a body that fails.
 *
 * @module
 */

/** The same body. Returning it, started or not, returns the other. */
export function watchBody(
  body: AsyncIterable<Uint8Array>,
  onFailure: () => void,
): AsyncIterableIterator<Uint8Array, undefined> {
  const chunks = body[Symbol.asyncIterator]();
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    async next() {
      try {
        const { done, value } = await chunks.next();
        return done === true ? { done, value: undefined } : { done: false, value };
      } catch (error) {
        onFailure();
        throw error;
      }
    },
    async return() {
      await chunks.return?.();
      return { done: true, value: undefined };
    },
  };
}
