/**
 * The kernel's errors about a process that has ended.
 *
 * @module
 */

/** Whether the error says that there is no such process, or no such file of it. */
export function isGone(error: unknown): boolean {
  return ['ENOENT', 'ESRCH'].includes(codeOf(error) ?? '');
}

/** The kernel's code of an error. */
export function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error && 'code' in error)) return undefined;
  // Node wraps the kernel's code of some calls in one of its own.
  const info = 'info' in error ? error.info : undefined;
  const inner = typeof info === 'object' && info !== null && 'code' in info ? info.code : undefined;
  return String(inner ?? error.code);
}
