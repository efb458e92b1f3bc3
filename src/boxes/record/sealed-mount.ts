/**
 * How a box mounts a sealed volume.
 *
 * @module
 */
import { brokerResource, SealedVolumeId } from '@a3s-box/policies';
import * as z from 'zod';

/** As the launch spec has it. */
export const SealedMount = z.strictObject({
  policy: z.enum(['exact', 'upgradable', 'broker']),
  init: z.boolean(),
  id: SealedVolumeId.optional(),
  /** The path of its key at the broker. */
  key: brokerResource.optional(),
  /** The path of its counter at the broker. */
  counter: brokerResource.optional(),
});
export type SealedMount = z.infer<typeof SealedMount>;
