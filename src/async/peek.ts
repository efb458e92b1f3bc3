/**
 * Looks at the first bytes of a stream.
 *
 * @module
 */

/**
 * What the first bytes of `source` say, and all of it, to be read or ended early.
 *
 * @param decide gets `bytes` bytes or more, or all where the stream has fewer; where it throws, the
 * source has been ended
 */
export async function peek<T>(
  source: AsyncIterable<Uint8Array>,
  bytes: number,
  decide: (head: Buffer) => T,
): Promise<{ decided: T; whole: AsyncIterableIterator<Uint8Array> }> {
  const iterator = source[Symbol.asyncIterator]();
  try {
    const chunks: Uint8Array[] = [];
    for (let length = 0; length < bytes; ) {
      const next = await iterator.next();
      if (next.done === true) break;
      chunks.push(next.value);
      length += next.value.length;
    }
    const head = Buffer.concat(chunks);
    return { decided: decide(head), whole: resume(head, iterator) };
  } catch (error) {
    await iterator.return?.();
    throw error;
  }
}

/** No generator: one that was never started would not end the rest. */
function resume(head: Buffer, rest: AsyncIterator<Uint8Array>): AsyncIterableIterator<Uint8Array> {
  let unread = head.length > 0;
  return {
    next: async () => {
      if (!unread) return await rest.next();
      unread = false;
      return { done: false, value: head };
    },
    return: async () => {
      await rest.return?.();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
