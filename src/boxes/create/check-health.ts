/**
 * Refuses, before anything is made, a health check that the launch spec does not permit the host to
 * run. Failures of a check are in `src/boxes/health/watch-health.ts`.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import type { BoxDefinition } from '../record/box.ts';
import type { ConfidentialRequest } from '../record/confidential-request.ts';

/** @throws A3sError `host-not-permitted` */
export function checkHealth(
  { health }: Pick<BoxDefinition, 'health'>,
  confidential: Pick<ConfidentialRequest, 'hostMay'> | undefined,
): void {
  if (health === undefined || (confidential?.hostMay.includes('exec') ?? true)) return;
  throw new A3sError(
    'host-not-permitted',
    'Cannot create the box: its health check is a program that the host has run in it, which the launch spec of this confidential box does not let the host',
    { remedy: 'Leave it out with --no-healthcheck, or create the box with --host-may exec.' },
  );
}
