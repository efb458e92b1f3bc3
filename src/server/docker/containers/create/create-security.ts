/**
 * What the processes of a box may do, in Docker's create document.
 *
 * @module
 */
import type * as z from 'zod';
import { checkCapabilities } from '../../../../boxes/create/capabilities.ts';
import { Security } from '../../../../boxes/record/security.ts';
import type { ProcessOptions } from '../../../../docker-api/process-options.ts';

type Asked = z.output<typeof ProcessOptions>;

/** @throws A3sError `invalid-argument`, `unsupported-option` with the option's name */
export function securityOf(asked: Asked): Security {
  checkCapabilities(asked.CapAdd, 'CapAdd');
  checkCapabilities(asked.CapDrop, 'CapDrop');
  return Security.parse({ capAdd: asked.CapAdd, capDrop: asked.CapDrop });
}
