/**
 * The health check of the create document.
 *
 * @module
 */
import * as z from 'zod';
import type { Document } from '../document.ts';
import { texts } from './process.ts';

/** Times are in nanoseconds. */
export const Healthcheck = z.strictObject({
  Test: texts.nullish().transform((test) => test ?? []),
  Interval: z.int().default(0),
  Timeout: z.int().default(0),
  StartPeriod: z.int().default(0),
  StartInterval: z.int().default(0),
  Retries: z.int().default(0),
});

export type Healthcheck = Document<typeof Healthcheck>;
