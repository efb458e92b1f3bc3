/**
 * Downloads blobs from a registry (distribution-spec 1.1, "Pulling blobs"). A blob is streamed,
 * resumed where the connection is cut, and verified over all of its bytes, whatever number of
 * answers they came in.
 *
 * @module
 */
import { A3sError, MirrorError } from '../../errors.ts';
import { Digester } from '../../oci/digest.ts';
import { Attempts, BYTES_PER_CUT, Cut, isCut, Stall } from '../exchange/attempts.ts';
import { exchange } from '../exchange/exchange.ts';
import { broken, type RepositoryContext } from '../exchange/repository-context.ts';
import type { BlobDescriptor } from '../registry.ts';
import { startOfAnswer } from './blob-download-answer.ts';

/**
 * The bytes of a blob, each once. They are verified when this ends without an error.
 *
 * @throws A3sError `registry-failed` for other bytes, fewer or more of them, and when too many
 * connections were cut; `not-in-registry`; and what the transport throws. MirrorError where a
 * mirror contributed to the fault
 */
export async function* downloadBlob(
  context: RepositoryContext,
  descriptor: BlobDescriptor,
): AsyncGenerator<Uint8Array> {
  const mirrors = new Set<() => void>();
  try {
    yield* download(context, descriptor, mirrors);
  } catch (error) {
    const isWrong = error instanceof A3sError && error.code === 'registry-failed' && !isCut(error);
    if (!isWrong || mirrors.size === 0) throw error;
    for (const distrust of mirrors) distrust();
    throw new MirrorError(error.code, error.message, { remedy: error.remedy, cause: error });
  }
}

async function* download(
  context: RepositoryContext,
  descriptor: BlobDescriptor,
  mirrors: Set<() => void>,
): AsyncGenerator<Uint8Array> {
  const { digest, size } = descriptor;
  const what = `blob ${digest} of ${context.name}`;
  const attempts = new Attempts(context.retryLimits, size, context.signal);
  const digester = new Digester();
  const state: Transfer = { offset: 0, ranges: true, mirrors };
  for (let complete = false; !complete; ) {
    const before = state.offset;
    try {
      for await (const chunk of attempt(context, descriptor, state, what)) {
        digester.update(chunk);
        yield chunk;
      }
      complete = true;
    } catch (error) {
      // Without any byte and any answer, the transport has already made all of its attempts.
      const mayResume = isCut(error) && (error instanceof Cut || state.offset > 0);
      if (!mayResume) throw error;
      // An answer without a length may lack only its end.
      if (state.offset === size && size > 0) complete = true;
      else {
        // Otherwise a few bytes at a time would count as progress for ever.
        const least = error instanceof Stall ? BYTES_PER_CUT : 1;
        await attempts.next(error, { progressed: state.offset - before >= least });
      }
    }
  }
  const actual = digester.digest();
  if (actual !== digest) throw broken(what, `its content has the digest ${actual}`);
}

interface Transfer {
  /** Bytes that were handed on. */
  offset: number;
  /** Whether the registry is asked for the rest alone. */
  ranges: boolean;
  /** Functions that suspend the mirrors that contributed to the blob. */
  readonly mirrors: Set<() => void>;
}

/** One answer, without the bytes that have arrived already. */
async function* attempt(
  context: RepositoryContext,
  descriptor: BlobDescriptor,
  state: Transfer,
  what: string,
): AsyncGenerator<Uint8Array> {
  const asked = state.ranges ? state.offset : 0;
  const { body, drop, distrust, ...head } = await exchange(
    context,
    {
      method: 'GET',
      target: `${context.path}/blobs/${descriptor.digest}`,
      ...(asked === 0 ? {} : { headers: { range: `bytes=${asked}-` } }),
      expected: asked === 0 ? [200, 206, 404] : [200, 206, 404, 416],
    },
    what,
  );
  if (distrust !== undefined) state.mirrors.add(distrust);
  try {
    const start = startOfAnswer(head, descriptor, asked, what);
    if (start === undefined) {
      state.ranges = false;
      throw new Cut(what, `the registry does not send it from byte ${asked}`);
    }
    let position = start;
    for await (const chunk of body) {
      const end = position + chunk.length;
      if (end > descriptor.size) {
        throw broken(what, `the registry sends more than its ${descriptor.size} bytes`);
      }
      const fresh = chunk.subarray(Math.min(Math.max(state.offset - position, 0), chunk.length));
      position = end;
      if (fresh.length === 0) continue;
      state.offset = end;
      yield fresh;
    }
    if (position === descriptor.size) return;
    // This mirror may have no more of the blob.
    distrust?.();
    throw new Cut(what, `the answer ends after ${position} of ${descriptor.size} bytes`);
  } finally {
    await drop();
  }
}
