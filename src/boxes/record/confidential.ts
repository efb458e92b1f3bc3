/**
 * What a confidential box has on record beside what every box has.
 *
 * @module
 */
import { HOST_PERMISSIONS } from '@a3s-box/policies';
import * as z from 'zod';
import { TEES } from '../../engine/engine.ts';

const hex = (bytes: number) => z.string().regex(new RegExp(`^[0-9a-f]{${2 * bytes}}$`));

/** Of its definition. Everything but the launch spec's text, the processor and the ID block says in short what the text says. */
export const ConfidentialDefinition = z.strictObject({
  tee: z.enum(TEES),
  /** Canonical text of the launch spec: these bytes go to the guest at every start. */
  launchSpec: z.string(),
  /** SHA-256 of the text, which is HOST_DATA. */
  specDigest: hex(32),
  hostMay: z.array(z.enum(HOST_PERMISSIONS)),
  secrets: z.array(z.strictObject({ name: z.string(), allowAnyInjector: z.boolean() })),
  secretsDeadline: z.int(),
  deployment: z.string(),
  changes: z.enum(['memory', 'encrypted-disk']),
  /** ID block and its authentication, in base64. */
  identity: z.strictObject({ block: z.string(), auth: z.string() }).optional(),
});
export type ConfidentialDefinition = z.infer<typeof ConfidentialDefinition>;

const SECRETS_STATES = ['none', 'waiting', 'ready', 'expired'] as const;

/** Of the state of one run: what was launched, as the host saw it, and how far its guest has come. */
export const ConfidentialState = z.strictObject({
  /** A launch record of `@a3s-box/attestation/measure`; absent while it is not known what was launched. */
  record: z.record(z.string(), z.unknown()).optional(),
  /** Launch digest that follows from the record. */
  measurement: hex(48).optional(),
  hostData: hex(32),
  /** POLICY of the launch, with `0x`. */
  policy: z.string(),
  bootSet: z.string(),
  /** Born in the guest, which says so when it has taken the launch spec. */
  instance: hex(16).optional(),
  secrets: z.strictObject({ state: z.enum(SECRETS_STATES), delivered: z.array(z.string()) }),
});
export type ConfidentialState = z.infer<typeof ConfidentialState>;
