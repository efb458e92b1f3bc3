/**
 * What a confidential pod of a manifest of Kubernetes would be.
 *
 * @module
 */
import * as z from 'zod';
import type { Document } from '../document.ts';
import { Measured } from './launch.ts';

export const MeasurePodBody = z.strictObject({
  Tee: z.enum(['snp', 'simulate']),
  /** One document of YAML or JSON. */
  Manifest: z
    .string()
    .min(1)
    .max(1024 * 1024),
});

export const MeasuredPod = Measured.extend({
  /** The manifest, whose pods have the launch spec in the annotation `dev.a3s.launch-spec`. */
  manifest: z.record(z.string(), z.unknown()),
});
export type MeasuredPod = Document<typeof MeasuredPod>;
