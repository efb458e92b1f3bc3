/**
 * The exit status of a box.
 *
 * @module
 */

import type { Waited } from '../../docker-api/containers/wait.ts';
import { A3sError } from '../../errors.ts';
import { type Client, segment } from '../client/client.ts';
import { printable } from '../client/failure.ts';
import { numberOf, objectOf, stringOf } from '../client/json.ts';
import { jsonLines } from '../client/json-lines.ts';
import type { Context } from '../context.ts';

/**
 * A wait that is registered at the server. It keeps this process alive until it is answered or
 * aborted.
 */
export interface Waiting {
  status(): Promise<number>;
  /** Aborts the wait. It has no effect once the wait is answered. */
  cancel(): void;
}

/**
 * Registers the wait before it resolves, so that a box started afterwards cannot end unseen.
 *
 * A box that lost its microVM has an exit status too; the reason of its end is printed
 * beside it. It is no failure of the command, so it has no error code.
 */
export async function waitFor(
  context: Context,
  client: Client,
  id: string,
  condition: 'not-running' | 'next-exit' | 'removed',
): Promise<Waiting> {
  const response = await client.stream({
    method: 'POST',
    path: `/containers/${segment(id)}/wait`,
    query: { condition },
  });
  const ending = readEnding(client, response);
  // The caller that awaits it reports the error. Until then a lost server must not end the process.
  ending.catch(() => undefined);
  return {
    async status() {
      const { status, failure } = await ending;
      if (failure !== '') context.stderr.write(`a3s-box: ${printable(failure)}\n`);
      return status;
    },
    cancel: () => response.destroy(),
  };
}

async function readEnding(
  client: Client,
  response: AsyncIterable<Buffer>,
): Promise<{ status: number; failure: string }> {
  try {
    for await (const document of jsonLines(response)) {
      const { StatusCode, Error: failure } = objectOf<Waited>(document);
      return { status: numberOf(StatusCode), failure: stringOf(objectOf(failure).Message) };
    }
  } catch (error) {
    if (error instanceof A3sError) throw error;
    throw serverEnded(client, error);
  }
  throw serverEnded(client, undefined);
}

function serverEnded(client: Client, cause: unknown): A3sError {
  return new A3sError('server-unreachable', `The control server at ${client.socket} has ended`, {
    remedy: 'The box runs on; a3s-box attach or a3s-box wait finds it again.',
    cause,
  });
}
