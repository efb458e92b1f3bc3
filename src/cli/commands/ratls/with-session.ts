/**
 * Runs an action in a session with a box, and retries where the connection ends although the box
 * may be well: a box has few connections, and a refused one may succeed a moment later.
 *
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import { A3sError } from '../../../errors.ts';
import type { Context } from '../../context.ts';
import { openSession, type Session, type SessionRoute } from './open-session.ts';
import type { Library, Trust } from './peer-flags.ts';

/** The library's default timeout. */
const DEFAULT_TIMEOUT_MS = 60_000;
/**
 * The pause between two attempts: `PAUSE_MS`, and up to `MOST_JITTER_MS` more, so that clients do
 * not retry in step.
 */
const PAUSE_MS = 100;
const MOST_JITTER_MS = 50;

export interface SessionRequest {
  readonly context: Context;
  readonly library: Library;
  readonly target: string;
  readonly trust: Trust;
  readonly signal: AbortSignal;
  readonly route?: SessionRoute;
}

/**
 * Opens a session and runs `act` in it, repeatedly until the time of `trust` is over. The effects
 * of earlier attempts stay.
 *
 * @throws RatlsError of the library, A3sError of the server, UsageError for a name that is no box
 */
export async function withSession<T>(
  { context, library, target, trust, signal, route }: SessionRequest,
  act: (session: Session) => Promise<T>,
): Promise<T> {
  const end = performance.now() + (trust.timeout ?? DEFAULT_TIMEOUT_MS);
  let timeout = trust.timeout;
  for (;;) {
    try {
      const limited = { ...trust, timeout };
      const session = await openSession(context, library, target, limited, signal, route);
      try {
        return await act(session);
      } finally {
        session.close();
      }
    } catch (error) {
      const pause = PAUSE_MS + Math.random() * MOST_JITTER_MS;
      timeout = Math.ceil(end - performance.now() - pause);
      if (timeout <= 0 || !isPassing(library, error)) throw error;
      await delay(pause, undefined, { signal });
    }
  }
}

/**
 * The operating system's errors for a connection that the peer, or a host in between, has ended.
 */
const ENDED: ReadonlySet<unknown> = new Set([undefined, 'ECONNRESET', 'EPIPE']);

/**
 * Whether an attempt failed in the way that it fails when other clients take all connections, or
 * all reports.
 */
function isPassing(library: Library, error: unknown): boolean {
  if (error instanceof A3sError) return error.code === 'ratls-busy';
  if (!(error instanceof library.RatlsError)) return false;
  const { code, found, cause } = error;
  if (code === 'closed') return true;
  if (code === 'attest-answer') return found === 'closed' || found === 'rate-limited';
  if (code !== 'unreachable') return false;
  return ENDED.has(cause instanceof Error && 'code' in cause ? cause.code : undefined);
}
