/**
 * Opens a connection of a builder's API that leaves HTTP: `POST /grpc` and `POST /session`.
 *
 * @module
 */
import { request } from 'node:http';
import type { Duplex } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { A3sError } from '../../errors.ts';
import type { Builder } from '../builder.ts';

const MAX_WORDS = 1000;

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
      connection.destroy();
      reject(signal.aborted ? signal.reason : error);
    };
    const sent = request({
      ...{ createConnection: () => connection, method: 'POST', path, signal },
      headers: { host: 'builder', connection: 'Upgrade', ...headers },
    });
    sent.once('upgrade', (_response, socket: Duplex, head: Buffer) => {
      if (head.length > 0) socket.unshift(head);
      resolve(socket);
    });
    sent.once('response', (response) => {
      buffer(response).then((body) => {
        const words = body.toString('utf8', 0, MAX_WORDS);
        fail(failed(`it answers POST ${path} with ${response.statusCode}: ${words}`));
      }, fail);
    });
    sent.once('error', (error) => fail(failed(error.message, error)));
    sent.end();
  });
}

export function failed(reason: string, cause?: unknown): A3sError {
  return new A3sError('builder-failed', `Cannot use the builder: ${reason}`, {
    remedy: 'Build again: a builder that ended is started anew.',
    cause,
  });
}
