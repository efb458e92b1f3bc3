/**
 * Notices a client that is gone while nobody takes what it has sent.
 *
 * @module
 */
const PING_MS = 30_000;

/**
 * Waits until a reader has room, and pings the client meanwhile. Nothing is read from a connection
 * that waits: only a write that fails shows that its client is gone.
 */
export async function pingWhile(
  waiting: Promise<void>,
  ping: () => void,
  everyMs = PING_MS,
): Promise<void> {
  const timer = setInterval(ping, everyMs);
  try {
    await waiting;
  } finally {
    clearInterval(timer);
  }
}
