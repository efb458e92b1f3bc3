/**
 * What a confidential box has on record beside what every box has.
 *
 * @module
 */
import { BrokerEndpoint, HOST_PERMISSIONS, SEALING } from '@a3s-box/policies';
import { hostDataOf } from '@a3s-box/policies/host-data';
import * as z from 'zod';
import { TEES } from '../../engine/vm/confidential-launch.ts';

const hex = (bytes: number) => z.string().regex(new RegExp(`^[0-9a-f]{${2 * bytes}}$`));

/**
 * The part of its definition. All but the launch spec's text, the processor and the ID block
 * repeats what the text says.
 */
export const ConfidentialDefinition = z.strictObject({
  tee: z.enum(TEES),
  /** Canonical text of the launch spec: these bytes go to the guest at every start. */
  launchSpec: z.string(),
  /** SHA-256 of the text, which HOST_DATA is made of. */
  specDigest: hex(32),
  hostMay: z.array(z.enum(HOST_PERMISSIONS)),
  secrets: z.array(
    z.strictObject({
      name: z.string(),
      allowAnyInjector: z.boolean(),
      /** Its path at the broker; absent where it is injected. */
      resource: z.string().optional(),
      /** After how many seconds the guest fetches it again; absent: never. */
      refresh: z.int().optional(),
    }),
  ),
  /** Absent where no secret is fetched. */
  broker: BrokerEndpoint.optional(),
  secretsDeadline: z.int(),
  deployment: z.string(),
  changes: z.enum(['memory', 'encrypted-disk']),
  /** Absent is false. */
  privileged: z.literal(true).optional(),
  /** Absent: none. */
  sealing: z.enum(SEALING).optional(),
  /** ID block and its authentication, in base64. */
  identity: z.strictObject({ block: z.string(), auth: z.string() }).optional(),
});
export type ConfidentialDefinition = z.infer<typeof ConfidentialDefinition>;

/** HOST_DATA that the box is launched with, in hexadecimal digits. */
export function hostDataOfBox({
  specDigest,
  privileged,
}: Pick<ConfidentialDefinition, 'specDigest' | 'privileged'>): string {
  return hostDataOf(specDigest, privileged === true);
}

const SECRETS_STATES = ['none', 'waiting', 'ready', 'expired', 'refused'] as const;

/**
 * The part of its state: what was launched for one run, as the host saw it, and which secrets its
 * guest has received.
 */
export const ConfidentialState = z.strictObject({
  /** A launch record of `@a3s-box/attestation/measure`; absent while the launch is not known. */
  record: z.record(z.string(), z.unknown()).optional(),
  /** The launch digest that follows from the record. */
  measurement: hex(48).optional(),
  hostData: hex(32),
  /** POLICY of the launch, with `0x`. */
  policy: z.string(),
  bootSet: z.string(),
  /** The instance id, which the guest creates and reports once it has taken the launch spec. */
  instance: hex(16).optional(),
  secrets: z.strictObject({ state: z.enum(SECRETS_STATES), delivered: z.array(z.string()) }),
  /** The sealed volumes that its guest has opened, or made. Absent: none. */
  volumes: z
    .array(z.strictObject({ name: z.string(), id: hex(16), created: z.boolean() }))
    .optional(),
});
export type ConfidentialState = z.infer<typeof ConfidentialState>;
