/**
 * A client's end of a process's input and output.
 *
 * @module
 */
export interface ClientStream {
  /** What the client sends; ends when it closes its side. */
  readonly input: AsyncIterable<Uint8Array>;
  /** Sends output; waits until the client has room. Does nothing once the client is gone. */
  write(stream: 1 | 2, bytes: Uint8Array): Promise<void>;
  /** Aborts when the client is gone. */
  readonly gone: AbortSignal;
}

/** The client detached, and the process goes on. */
export const DETACHED = Symbol('detached');

/**
 * Passes what the client sends to `write`, up to the end or the detach keys.
 *
 * @param keys bytes that detach when typed one after the other; empty: none do
 */
export async function copyInput(
  input: AsyncIterable<Uint8Array>,
  keys: Uint8Array,
  write: (bytes: Uint8Array) => Promise<void>,
): Promise<typeof DETACHED | undefined> {
  let matched = 0;
  for await (const chunk of input) {
    if (keys.length === 0) {
      await write(chunk);
      continue;
    }
    const out: number[] = [];
    for (const byte of chunk) {
      if (byte === keys[matched]) {
        matched += 1;
        if (matched < keys.length) continue;
        if (out.length > 0) await write(Buffer.from(out));
        return DETACHED;
      }
      // The bytes that looked like the keys were input after all.
      out.push(...keys.subarray(0, matched));
      matched = byte === keys[0] ? 1 : 0;
      if (matched === 0) out.push(byte);
    }
    if (out.length > 0) await write(Buffer.from(out));
  }
  return undefined;
}
