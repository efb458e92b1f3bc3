/**
 * The bytes of an answer.
 *
 * @module
 */
import { type ClientHttp2Stream, constants } from 'node:http2';
import { A3sError } from '../errors.ts';
import { agentFailed } from './refusal.ts';

/**
 * Every byte up to the end of the answer, with back pressure. Throws `agent-failed` when the answer
 * breaks off.
 *
 * The stream's own iterator is not used: an agent that is done before the request's body has ended
 * closes the stream without an error, and that iterator then throws and drops the buffered bytes.
 */
export async function* bytesOf(stream: ClientHttp2Stream): AsyncGenerator<Buffer, void, void> {
  let ended = stream.readableEnded;
  let notify: () => void = () => undefined;
  const onReadable = (): void => notify();
  const onEnd = (): void => {
    ended = true;
    notify();
  };
  stream.on('readable', onReadable);
  stream.on('end', onEnd);
  stream.on('close', onReadable);
  try {
    for (;;) {
      const data = stream.read() as Buffer | null;
      if (data !== null) yield data;
      else if (ended || stream.destroyed) break;
      else {
        await new Promise<void>((resolve) => {
          notify = resolve;
        });
      }
    }
  } finally {
    stream.off('readable', onReadable);
    stream.off('end', onEnd);
    stream.off('close', onReadable);
  }
  if (!ended || stream.rstCode !== constants.NGHTTP2_NO_ERROR) {
    throw brokenOff('its answer broke off', stream.errored ?? undefined);
  }
}

/** The whole body; `agent-failed` when it is larger than `limit` or breaks off. */
export async function readAnswer(stream: ClientHttp2Stream, limit: number): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of bytesOf(stream)) {
    size += piece.length;
    if (size > limit) throw agentFailed(`its answer has more than ${limit} bytes`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

/** Undefined when the bytes are not JSON. No schema accepts undefined where a body is expected. */
export function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}

/** Resolves with the status of a stream's answer when its headers arrive. */
export function answerStatus(stream: ClientHttp2Stream): Promise<number> {
  return new Promise((resolve, reject) => {
    // The listener stays for the stream's whole life: an error without a listener would end the
    // process.
    stream.on('error', (error) => reject(brokenOff('the connection broke', error)));
    stream.once('response', (headers) => resolve(Number(headers[':status'])));
    stream.once('close', () => reject(agentFailed('it closed the stream without an answer')));
  });
}

/** The reason for which this side ended the connection, or the observed reason of its end. */
function brokenOff(what: string, cause: unknown): A3sError {
  return cause instanceof A3sError ? cause : agentFailed(what, cause);
}
