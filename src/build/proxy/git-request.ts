/**
 * The one request with a body that reads: git asks a repository for what it wants of it. A write,
 * `git-receive-pack`, is another request.
 *
 * @module
 */
import type { IncomingMessage } from 'node:http';
import { Refusal } from './refusal.ts';

const TYPE = 'application/x-git-upload-pack-request';
const PATH = /\/git-upload-pack$/;
/** Names of 20,000 commits: those that are wanted, and those that are there. */
const MAX_BYTES = 1024 * 1024;
/** git has it all before it asks. */
const BODY_MS = 30_000;

/** git puts nothing behind the path. */
export function isGitFetch({ method, headers }: IncomingMessage, url: URL): boolean {
  const isFetch = PATH.test(url.pathname) && url.search === '';
  return method === 'POST' && isFetch && headers['content-type'] === TYPE;
}

/**
 * @throws Refusal for a body that is too long
 * @throws the reason of an abort, or a TimeoutError for a body that does not come; the connection
 * is cut then
 */
export async function bodyOfGitFetch(
  request: IncomingMessage,
  signal: AbortSignal,
  ms = BODY_MS,
): Promise<Buffer> {
  const late = AbortSignal.timeout(ms);
  const ends = AbortSignal.any([signal, late]);
  const chunks: Buffer[] = [];
  let size = 0;
  const end = (): void => {
    request.destroy(ends.reason);
  };
  ends.addEventListener('abort', end);
  try {
    for await (const chunk of request) {
      size += chunk.length;
      if (size > MAX_BYTES) throw new Refusal(413, 'a request of git has at most 1 MiB');
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  } finally {
    ends.removeEventListener('abort', end);
  }
}
