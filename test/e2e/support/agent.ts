/**
 * One request to the agent in a machine, without the runtime's own client.
 *
 * @module
 */
import { connect } from 'node:http2';
import { json } from 'node:stream/consumers';
import type { Machine } from '../../../src/engine/engine.ts';

/** Connects, asks, closes. @returns the answer's JSON, undefined for an empty one */
export async function ask(
  machine: Machine,
  method: string,
  path: string,
  signal: AbortSignal,
): Promise<unknown> {
  const stream = await machine.connect(signal);
  const session = connect('http://guest', { createConnection: () => stream });
  try {
    return await new Promise((resolve, reject) => {
      session.once('error', reject);
      const request = session.request(
        { ':method': method, ':path': path, 'a3s-protocol': '1' },
        { endStream: true, signal },
      );
      request.once('error', reject);
      request.once('response', (headers) => {
        if (headers[':status'] === 202) resolve(undefined);
        else json(request).then(resolve, reject);
      });
    });
  } finally {
    session.destroy();
  }
}
