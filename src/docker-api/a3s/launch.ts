/**
 * What was launched for a confidential box, and what would be.
 *
 * @module
 */
import * as z from 'zod';
import type { Document } from '../document.ts';

const digits = (bytes: number) => z.string().regex(new RegExp(`^[0-9a-f]{${2 * bytes}}$`));
const document = z.record(z.string(), z.unknown());

export const Launch = z.strictObject({
  tee: z.enum(['snp', 'simulate']),
  simulated: z.boolean(),
  note: z.string().optional(),
  /** A launch record of `a3s-box attest explain`; null where it is not known. */
  launch: document.nullable(),
  measurement: z.union([digits(48), z.null()]),
  hostData: digits(32),
  guestPolicy: z.string(),
  bootSet: z.string(),
  instance: z.union([digits(16), z.null()]),
  /** Text of the launch spec. */
  spec: z.string(),
});
export type Launch = Document<typeof Launch>;

export const Measured = z.strictObject({
  measurement: digits(48),
  hostData: digits(32),
  spec: z.string(),
  launch: document,
  /** An attestation policy. */
  policy: document,
  bootSet: z.string(),
  guestPolicy: z.string(),
});
export type Measured = Document<typeof Measured>;
