/**
 * Builders.
 *
 * @module
 */
import * as z from 'zod';
import type { Document } from '../document.ts';

export const BuilderSummary = z.strictObject({
  name: z.string(),
  state: z.enum(['running', 'stopped']),
  /** Id of its box; empty where it has none. */
  box: z.string(),
  /** How many clients use it. */
  uses: z.int(),
  /** The volume with its layers and caches. */
  cache: z.string(),
  /** What they take of the host's disk, and the size of theirs. */
  cacheBytes: z.int(),
  cacheLimitBytes: z.int(),
});
export type BuilderSummary = Document<typeof BuilderSummary>;

export const BuilderSocket = z.strictObject({
  name: z.string(),
  /** Where the clients of Docker build with it: `DOCKER_HOST=unix://SOCKET`. */
  socket: z.string(),
});
export type BuilderSocket = Document<typeof BuilderSocket>;

export const Builders = z.strictObject({ builders: z.array(BuilderSummary) });
export type Builders = Document<typeof Builders>;
