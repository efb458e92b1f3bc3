/**
 * The document that a box is made by that goes on from a memory snapshot, and the answer.
 *
 * @module
 */
import * as z from 'zod';
import type { Document } from '../document.ts';

const MOST_PORTS = 1024;

export const ForkBody = z.strictObject({
  name: z.string().max(1024).optional(),
  autoRemove: z.boolean().default(false),
  ports: z
    .array(
      z.strictObject({
        boxPort: z.int().min(1).max(65_535),
        protocol: z.enum(['tcp', 'udp']).default('tcp'),
        /** Empty: every address of the host. */
        hostIp: z.union([z.ipv4(), z.ipv6(), z.literal('')]).default(''),
        /** 0: a free one. */
        hostPort: z.int().min(0).max(65_535).default(0),
      }),
    )
    .max(MOST_PORTS)
    .default([]),
});
export type ForkBody = Document<typeof ForkBody>;

export const Forked = z.strictObject({
  id: z.string(),
  terminal: z.boolean(),
  warnings: z.array(z.string()),
});
export type Forked = Document<typeof Forked>;
