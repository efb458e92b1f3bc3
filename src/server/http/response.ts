/**
 * Converts an answer to a web response, and a web request's body to bytes.
 *
 * @module
 */
import { platform } from 'node:os';
import { API_VERSION, VERSION } from '../version.ts';
import type { Answer } from './answer.ts';

const COMMON = {
  'Api-Version': API_VERSION,
  'Docker-Experimental': 'false',
  Ostype: platform(),
  Server: `A3S-Box/${VERSION} (${platform()})`,
};

/** @param signal aborts when no client waits for the answer any more */
export function responseOf(
  answer: Exclude<Answer, { kind: 'hijack' }>,
  signal: AbortSignal,
): Response {
  const { status } = answer;
  switch (answer.kind) {
    case 'empty':
      return new Response(null, { status, headers: { ...COMMON, ...answer.headers } });
    case 'text':
      return respond(answer.body, status, 'text/plain; charset=utf-8', answer.headers);
    case 'json':
      return respond(
        `${JSON.stringify(answer.body)}\n`,
        status,
        'application/json',
        answer.headers,
      );
    case 'stream':
      // The encoding is set here, so that the headers are sent at once and not with the first
      // chunk.
      return respond(streamOf(answer.chunks, signal), status, answer.type, {
        'Transfer-Encoding': 'chunked',
        ...answer.headers,
      });
  }
}

function respond(
  body: string | ReadableStream<Uint8Array>,
  status: number,
  type: string,
  more: Readonly<Record<string, string>> = {},
): Response {
  return new Response(body, { status, headers: { ...COMMON, 'Content-Type': type, ...more } });
}

/** Pulled by the client: a slow client buffers one chunk. */
function streamOf(
  chunks: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): ReadableStream<Uint8Array> {
  const iterator = chunks[Symbol.asyncIterator]();
  return new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        try {
          const { done, value } = await iterator.next();
          if (done === true) controller.close();
          // A copy: the next step may use the chunk's memory again.
          else controller.enqueue(new Uint8Array(value));
        } catch (error) {
          if (signal.aborted) controller.close();
          else controller.error(error);
        }
      },
      cancel: () => {
        // Not awaited: it waits for the read that is under way, which the signal ends.
        void iterator.return?.().catch(() => undefined);
      },
    },
    { highWaterMark: 0 },
  );
}

/** Chunks of a body, to be iterated once. Leaving the loop early keeps the rest. */
export function iterateBody(body: ReadableStream<Uint8Array> | null): AsyncIterable<Uint8Array> {
  if (body === null) return none();
  const reader = body.getReader();
  return {
    [Symbol.asyncIterator]: () => ({
      next: async () => {
        const { done, value } = await reader.read();
        return done ? { done, value: undefined } : { done, value };
      },
    }),
  };
}

async function* none(): AsyncGenerator<Uint8Array> {}
