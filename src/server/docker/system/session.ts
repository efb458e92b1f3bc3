/**
 * The session of a build: a connection on which the builder asks its client for files, secrets and
 * credentials. Its bytes pass as they are, after the greeting.
 *
 * @module
 */
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ClientStream } from '../../../boxes/run/client-stream.ts';
import { GREETING, withoutFirstAck, withoutPreface } from '../../../build/session/greeting.ts';
import { drop } from '../../http/connection.ts';
import type { Call } from '../../http/route.ts';
import type { BuilderHost } from './builder-host.ts';

/** What a session offers its builder: `X-Docker-Expose-Session-Uuid` and more. */
const SESSION_HEADER = /^x-docker-expose-session-/;
const METHODS = 'x-docker-expose-session-grpc-method';

/** Until the builder ends the session. Where none starts, the client waits for its refusal. */
export async function serveSession(
  client: ClientStream,
  headers: Call['headers'],
  { builds, log }: BuilderHost,
): Promise<void> {
  await client.write(1, GREETING);
  const session = await builds
    .openSession(sessionHeaders(headers), client.gone)
    // The client learns of it by the call that begins its build.
    .catch((error: unknown) => {
      if (!client.gone.aborted) log.error('a session of a build could not be opened', error);
    });
  if (session === undefined) {
    await drop(client.input);
    return;
  }
  try {
    await join(client, session.stream);
  } finally {
    session.stream.destroy();
    session.release();
  }
}

/** The builder reads one method of a session from each header. */
function sessionHeaders(headers: Headers): Record<string, string | string[]> {
  const values = [...headers].filter(([name]) => SESSION_HEADER.test(name));
  return Object.fromEntries(
    values.map(([name, value]) => [name, name === METHODS ? value.split(/, */) : value]),
  );
}

/** Each direction ends by itself; the builder's ends the session. */
async function join(client: ClientStream, stream: Duplex): Promise<void> {
  // A failure ends the stream, whose reader below notices.
  pipeline(withoutFirstAck(client.input), stream, { signal: client.gone }).catch(() =>
    stream.destroy(),
  );
  try {
    for await (const chunk of withoutPreface(stream)) await client.write(1, chunk);
  } catch (error) {
    if (!client.gone.aborted) throw error;
  }
}
