/**
 * Whether the system refused to write because the disk, or the user's quota on it, is full.
 *
 * @module
 */
export function isDiskFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && FULL.has(error.code);
}

const FULL: ReadonlySet<unknown> = new Set(['ENOSPC', 'EDQUOT']);
