/**
 * What a host can do, and why not where it cannot.
 *
 * @module
 */
import * as z from 'zod';
import type { Document } from '../document.ts';

const Capability = z.strictObject({
  name: z.string(),
  available: z.boolean(),
  reason: z.string().optional(),
});

export const Host = z.strictObject({
  engines: z.array(
    Capability.extend({
      version: z.string().optional(),
      accelerators: z.array(Capability),
      tees: z.array(Capability),
    }),
  ),
  jail: z.strictObject({
    identity: z.boolean(),
    namespaces: z.boolean(),
    reason: z.string().optional(),
    weakAccepted: z.boolean(),
  }),
  imagePolicy: z.union([
    z.strictObject({
      source: z.enum(['built-in', 'file', 'call']),
      digest: z.string(),
      rules: z.int(),
      path: z.string().optional(),
    }),
    z.strictObject({ problem: z.strictObject({ code: z.string(), message: z.string() }) }),
  ]),
  templates: z.strictObject({
    enabled: z.boolean(),
    count: z.int(),
    inUse: z.int(),
    sizeBytes: z.int(),
  }),
  root: z.boolean(),
  home: z.string(),
});
export type Host = Document<typeof Host>;
