/**
 * Opens streams of the control connection that carry the bytes of another connection.
 *
 * @module
 */
import type { Duplex } from 'node:stream';
import { A3sError } from '../errors.ts';
import { answerStatus, parseJson, readAnswer } from './body.ts';
import { discard, type RequestConnection } from './http2-connection.ts';
import { refusal } from './refusal.ts';

const LISTENERS = 32;

/**
 * An error of the stream is handled already where its caller does not listen for one.
 *
 * @param route path and query of a `POST`
 * @param deadlineMs for the guest to take it; undefined: as long as it takes
 */
export async function openByteStream(
  connection: RequestConnection,
  route: string,
  signal: AbortSignal | undefined,
  deadlineMs: number | undefined,
): Promise<Duplex> {
  const stream = await connection.openInOrder('POST', route, { signal });
  const onAbort = (): void => discard(stream);
  signal?.addEventListener('abort', onAbort, { once: true });
  stream.once('close', () => signal?.removeEventListener('abort', onAbort));
  stream.on('error', () => undefined);
  // Piping both directions adds a dozen.
  stream.setMaxListeners(LISTENERS);
  // It may have aborted while the earlier requests were sent.
  if (signal?.aborted === true) onAbort();
  let late = false;
  const expire = (): void => {
    late = true;
    discard(stream);
  };
  const timer = deadlineMs === undefined ? undefined : setTimeout(expire, deadlineMs);
  try {
    const status = await answerStatus(stream);
    if (status === 200) return stream;
    throw refusal(`POST ${route}`, status, parseJson(await readAnswer(stream, 64 * 1024)));
  } catch (error) {
    discard(stream);
    signal?.throwIfAborted();
    if (!late) throw error;
    throw new A3sError('agent-timeout', `The guest agent did not answer POST ${route} in time`);
  } finally {
    clearTimeout(timer);
  }
}
