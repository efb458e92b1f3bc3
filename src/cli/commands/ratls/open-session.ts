/**
 * Opens a session with the box that a command names: by its address, or through the control server,
 * which only passes bytes on.
 *
 * @module
 */
import { segment } from '../../client/client.ts';
import type { Context } from '../../context.ts';
import { InputError } from '../../files/input-error.ts';
import { UsageError } from '../../usage-error.ts';
import type { Library, Trust } from './peer-flags.ts';

type RatlsError = InstanceType<Library['RatlsError']>;
export type Session = Awaited<ReturnType<Library['connect']>>;

/**
 * The control server's route to the guest: all carry the same bytes, and refuse different boxes.
 */
export type SessionRoute = 'ratls' | 'seal' | 'unseal';

/** `HOST:PORT`, `[ADDRESS]:PORT`; a box's name has no colon. */
const ADDRESS = /^(?:\[([0-9A-Fa-f:.%a-z]+)\]|([^:[\]/]+)):(\d{1,5})$/;

/**
 * @throws RatlsError of the library, A3sError of the server, UsageError for a name that is no box
 */
export async function openSession(
  context: Context,
  library: Library,
  target: string,
  trust: Trust,
  signal: AbortSignal,
  route: SessionRoute = 'ratls',
): Promise<Session> {
  if (!target.includes(':')) {
    const client = await context.connect();
    const path = `/a3s/v1/boxes/${segment(target)}/${route}`;
    const { stream } = await client.hijack({ method: 'POST', path, signal });
    return library.connect({ ...trust, socket: stream, signal });
  }
  const [, literal, name, digits] = ADDRESS.exec(target) ?? [];
  const host = literal ?? name;
  const port = Number(digits);
  if (host === undefined || !(port >= 1 && port <= 65_535)) {
    throw new UsageError(`${JSON.stringify(target)} is neither HOST:PORT nor the name of a box`);
  }
  return library.connect({ ...trust, host, port, signal });
}

/** For people, with the code first and the remedy last. */
export function inputErrorOf(error: RatlsError): InputError {
  const { code, message, expected, found, remedy } = error;
  return new InputError(code, message, { expected, found, remedy, cause: error });
}

/** Whether an error means that the box is not trusted, and not that the evidence is missing. */
export function isRejection(library: Library, error: unknown): error is RatlsError {
  return (
    error instanceof library.RatlsError &&
    (error.code === 'simulated-not-allowed' || Object.hasOwn(library.RATLS_CHECKS, error.code))
  );
}
