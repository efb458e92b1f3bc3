/**
 * Opens connections to the RA-TLS server of a confidential guest.
 *
 * @module
 */
import type { Duplex } from 'node:stream';
import { A3sError } from '../errors.ts';
import { answerStatus, parseJson, readAnswer } from './body.ts';
import { discard, type GuestConnection } from './http2-connection.ts';
import { refusal } from './refusal.ts';

/** @param deadlineMs for the guest to take it */
export async function openRatls(
  connection: GuestConnection,
  signal: AbortSignal | undefined,
  deadlineMs: number,
): Promise<Duplex> {
  const route = '/v1/ratls';
  const stream = await connection.openInOrder('POST', route, { signal });
  const onAbort = (): void => discard(stream);
  signal?.addEventListener('abort', onAbort, { once: true });
  stream.once('close', () => signal?.removeEventListener('abort', onAbort));
  stream.on('error', () => undefined);
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    discard(stream);
  }, deadlineMs);
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
