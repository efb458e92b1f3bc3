/**
 * An attached session, and its exit status.
 *
 * @module
 */
import type { Session } from './session.ts';
import type { Waiting } from './wait.ts';

export interface Attached {
  readonly session: Session;
  readonly waiting: Waiting;
}

/** The two requests are independent, so both are sent at once. Where one fails, the other is aborted. */
export async function attached(
  opening: Promise<Session>,
  registering: Promise<Waiting>,
): Promise<Attached> {
  const [session, waiting] = await Promise.allSettled([opening, registering]);
  if (session.status === 'rejected') {
    if (waiting.status === 'fulfilled') waiting.value.cancel();
    throw session.reason;
  }
  if (waiting.status === 'rejected') {
    session.value.close();
    throw waiting.reason;
  }
  return { session: session.value, waiting: waiting.value };
}
