/**
 * The body of an answer, with callbacks for its end.
 *
 * @module
 */

interface Endings {
  /** Called when the body fails; returns the error that the reader gets instead. */
  readonly onFailure: (error: unknown) => unknown;
  /** Called when the reader stops; the body's own return where it is left out. */
  readonly onReturn?: () => unknown;
}

/** The same body. Unlike a generator, it can be returned before its first chunk. */
export function watchBody(
  body: AsyncIterable<Uint8Array>,
  { onFailure, onReturn }: Endings,
): AsyncIterableIterator<Uint8Array, undefined> {
  const chunks = body[Symbol.asyncIterator]();
  const end = onReturn ?? (() => chunks.return?.());
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    async next() {
      try {
        const { done, value } = await chunks.next();
        return done === true ? { done, value: undefined } : { done: false, value };
      } catch (error) {
        throw onFailure(error);
      }
    },
    async return() {
      await end();
      return { done: true, value: undefined };
    },
  };
}
