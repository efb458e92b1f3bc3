/**
 * Templates, and how far the making of them is.
 *
 * @module
 */
import * as z from 'zod';
import type { Document } from '../document.ts';
import { FailureLine } from '../failure-line.ts';

export const TemplateSummary = z.strictObject({
  id: z.string(),
  state: z.enum(['making', 'on disk', 'loaded', 'in use']),
  cpus: z.int(),
  /** Of the VM. */
  memoryBytes: z.int(),
  sizeBytes: z.int(),
  createdAt: z.string(),
  /** Starts from it since this server runs. */
  uses: z.int(),
  lastUsedAt: z.string().optional(),
});
export type TemplateSummary = Document<typeof TemplateSummary>;

export const TemplateDetails = TemplateSummary.extend({
  inputs: z.record(z.string(), z.string()),
  protocol: z.int().optional(),
  expiresAt: z.string().optional(),
  files: z.array(z.strictObject({ name: z.string(), bytes: z.int(), sha256: z.string() })),
});
export type TemplateDetails = Document<typeof TemplateDetails>;

export const Templates = z.strictObject({ templates: z.array(TemplateSummary) });
export type Templates = Document<typeof Templates>;

export const TemplateRemoved = z.strictObject({ removed: z.string() });
export type TemplateRemoved = Document<typeof TemplateRemoved>;

export const TemplatesPruned = z.strictObject({
  removed: z.array(z.string()),
  freedBytes: z.int(),
});
export type TemplatesPruned = Document<typeof TemplatesPruned>;

const MOST_SHAPES = 64;

/** The document that has templates made. */
export const WarmUpBody = z
  .strictObject({
    /** The CPU numbers of the microVMs that are to start from templates. Default: one CPU. */
    cpus: z.array(z.int().min(1)).min(1).max(MOST_SHAPES).default([1]),
  })
  .prefault({});
export type WarmUpBody = Document<typeof WarmUpBody>;

export const WarmUpLine = z.union([
  z.strictObject({
    cpus: z.int(),
    id: z.string().optional(),
    status: z.enum(['waiting', 'making', 'ready']),
  }),
  FailureLine,
]);
export type WarmUpLine = Document<typeof WarmUpLine>;
