/**
 * The command of a health check.
 *
 * @module
 */
import type { HealthCheck } from '../record/box.ts';

/** The argument vector of a probe. */
export function probeCommand({ test }: Pick<HealthCheck, 'test'>): string[] {
  const [kind, ...words] = test;
  return kind === 'CMD-SHELL' ? ['/bin/sh', '-c', ...words] : words;
}
