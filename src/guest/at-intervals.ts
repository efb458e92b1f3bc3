/**
 * One timer for all connections: a server with a hundred boxes wakes up no more often than a server
 * with one box.
 *
 * @module
 */

const INTERVAL_MS = 100;

const checks = new Set<() => void>();
let timer: NodeJS.Timeout | undefined;

/**
 * Calls the function ten times a second, until the returned function is called. Does not keep the
 * process alive.
 */
export function atIntervals(check: () => void): () => void {
  checks.add(check);
  timer ??= setInterval(() => {
    for (const each of checks) each();
  }, INTERVAL_MS).unref();
  return () => {
    checks.delete(check);
    if (checks.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}
