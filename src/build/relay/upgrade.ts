/**
 * Opens a connection of a builder's API that leaves HTTP: `POST /grpc` and `POST /session`.
 *
 * @module
 */
import { request } from 'node:http';
import type { Duplex } from 'node:stream';
import { A3sError } from '../../errors.ts';
import type { Builder } from '../builder.ts';
import { errorWords } from './answer-body.ts';

/** For the builder's `101`. */
const ANSWER_MS = 30_000;

/**
 * The stream after the builder's `101`, from its first byte.
 *
 * @throws A3sError `builder-failed`
 */
export async function upgrade(
  builder: Builder,
  path: string,
  headers: Readonly<Record<string, string | string[]>>,
  signal: AbortSignal,
): Promise<Duplex> {
  const connection = await builder.dial(signal);
  return await new Promise<Duplex>((resolve, reject) => {
    const fail = (error: unknown): void => {
      clearTimeout(timer);
      connection.destroy();
      reject(signal.aborted ? signal.reason : error);
    };
    const timer = setTimeout(() => fail(failed(`it does not answer POST ${path}`)), ANSWER_MS);
    const sent = request({
      ...{ createConnection: () => connection, method: 'POST', path, signal },
      headers: { host: 'builder', connection: 'Upgrade', ...headers },
    });
    let isUpgraded = false;
    sent.once('upgrade', (_response, socket: Duplex, head: Buffer) => {
      isUpgraded = true;
      clearTimeout(timer);
      if (head.length > 0) socket.unshift(head);
      resolve(socket);
    });
    sent.once('response', (response) => {
      errorWords(response).then((words) => {
        fail(failed(`it answers POST ${path} with ${response.statusCode}: ${words}`));
      }, fail);
    });
    sent.once('error', (error) => fail(failed(error.message, error)));
    sent.once('close', () => {
      if (!isUpgraded) fail(failed('it hung up'));
    });
    sent.end();
  });
}

export function failed(reason: string, cause?: unknown): A3sError {
  return new A3sError('builder-failed', `Cannot use the builder: ${reason}`, {
    remedy: 'Build again: a builder that ended is started anew.',
    cause,
  });
}
