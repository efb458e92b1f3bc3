/**
 * What the documents of boxes say of a confidential one.
 *
 * @module
 */
import { HOST_PERMISSIONS, SEALING } from '@a3s-box/policies';
import * as z from 'zod';
import type { Document } from '../document.ts';
import { BrokerBody } from './broker-body.ts';

const tee = z.enum(['snp', 'simulate']);
const secretsState = z.enum(['none', 'waiting', 'ready', 'expired', 'refused']);

export const ConfidentialShown = z.strictObject({
  Tee: tee,
  Simulated: z.boolean(),
  Note: z.string().optional(),
  HostData: z.string(),
  /** Empty while it is not known. */
  Measurement: z.string(),
  HostMay: z.array(z.enum(HOST_PERMISSIONS)),
  Deployment: z.string(),
  Changes: z.enum(['memory', 'encrypted-disk']),
  Sealing: z.enum(SEALING),
  Secrets: z.array(
    z.strictObject({
      Name: z.string(),
      Delivered: z.boolean(),
      AllowAnyInjector: z.boolean(),
      /** Its path at the broker, where it is fetched. */
      Resource: z.string().optional(),
      /** After how many seconds it is fetched again. Absent: never. */
      Refresh: z.int().optional(),
    }),
  ),
  SecretsState: secretsState,
  SecretsDeadline: z.int(),
  /** Sealed volumes, as the last guest reported. Absent: none. */
  Volumes: z
    .array(z.strictObject({ Name: z.string(), Id: z.string(), Created: z.boolean() }))
    .optional(),
  /** Where secrets are fetched from. */
  Broker: BrokerBody.optional(),
  Instance: z.string().optional(),
});
export type ConfidentialShown = Document<typeof ConfidentialShown>;

export const ConfidentialSummary = z.strictObject({
  Tee: tee,
  Simulated: z.boolean(),
  SecretsState: secretsState,
  AllowAnyInjector: z.boolean(),
});
export type ConfidentialSummary = Document<typeof ConfidentialSummary>;
