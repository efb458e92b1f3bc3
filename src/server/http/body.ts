/**
 * Request bodies, bounded in size and in time.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';

/** Largest JSON body; a create request with the largest environment that Linux runs fits. */
export const MAX_JSON = 4 * 1024 * 1024;
/** Time for a whole JSON body. */
const JSON_MS = 30_000;
/** Longest silence within a body that is read as a stream. */
const IDLE_MS = 60_000;
/** The one name that no field of a document may have. */
const ODD = '__proto__';

/** @throws A3sError `too-large`, `invalid-argument` for what is not one JSON document */
export async function readJson(
  chunks: AsyncIterable<Uint8Array>,
  limit = MAX_JSON,
): Promise<unknown> {
  const parts: Uint8Array[] = [];
  let size = 0;
  const deadline = Date.now() + JSON_MS;
  for await (const chunk of timed(chunks, () => deadline - Date.now())) {
    size += chunk.length;
    if (size > limit) {
      throw new A3sError('too-large', `The request's body is larger than ${limit} bytes`);
    }
    parts.push(chunk);
  }
  if (size === 0) return undefined;
  return parseJson(Buffer.concat(parts));
}

/**
 * A body that is too long to hold, given up when the client stays silent. A loop that is left early
 * leaves the rest to the next loop, as `chunks` does.
 */
export function readStream(chunks: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  return { [Symbol.asyncIterator]: () => timed(chunks, () => IDLE_MS) };
}

function parseJson(bytes: Buffer): unknown {
  let document: unknown;
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    if (text.trim() === '') return undefined;
    document = JSON.parse(text);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new A3sError('invalid-argument', `The request's body is not JSON: ${reason}`, { cause });
  }
  refuseOddNames(document);
  return document;
}

/**
 * Schemas ignore a field of this name, so it would be accepted and have no effect.
 *
 * @throws A3sError `invalid-argument`
 */
function refuseOddNames(document: unknown): void {
  const left = [document];
  while (left.length > 0) {
    const value = left.pop();
    if (typeof value !== 'object' || value === null) continue;
    if (Object.hasOwn(value, ODD)) {
      throw new A3sError('invalid-argument', `Invalid request: a field cannot be called ${ODD}`);
    }
    for (const each of Object.values(value)) left.push(each);
  }
}

async function* timed(
  chunks: AsyncIterable<Uint8Array>,
  remaining: () => number,
): AsyncGenerator<Uint8Array> {
  const iterator = chunks[Symbol.asyncIterator]();
  try {
    for (;;) {
      const result = await within(iterator.next(), remaining());
      if (result.done === true) return;
      yield result.value;
    }
  } finally {
    // Not awaited: it may wait for the very chunk that does not come.
    void iterator.return?.().catch(() => undefined);
  }
}

async function within<T>(work: Promise<T>, milliseconds: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const error = new A3sError('invalid-argument', 'The request’s body did not arrive in time');
    timer = setTimeout(() => reject(error), Math.max(0, milliseconds));
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
