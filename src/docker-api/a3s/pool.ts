/**
 * Pools.
 *
 * @module
 */
import * as z from 'zod';
import type { Document } from '../document.ts';

const MOST_MICROVMS = 64;
const MOST_CPUS = 1024;

const network = z.enum(['default', 'none']);

/** The document that makes a pool, or changes it; its name is in the path. */
export const PoolBody = z.strictObject({
  /** How many microVMs are to be ready. */
  size: z.int().min(0).max(MOST_MICROVMS),
  cpus: z.int().min(1).max(MOST_CPUS).default(1),
  /** What boxes can ask for; 0 is the default. */
  memoryBytes: z.int().min(0).default(0),
  network: network.default('default'),
  /** Whether boxes may have bind mounts and volumes; each microVM has a copy of its RAM then. */
  mounts: z.boolean().default(true),
  /** Whether its microVMs are for pods of Kubernetes, and not for boxes. */
  pods: z.boolean().default(false),
});
export type PoolBody = Document<typeof PoolBody>;

export const PoolSummary = z.strictObject({
  name: z.string(),
  size: z.int(),
  cpus: z.int(),
  memoryBytes: z.int(),
  network,
  mounts: z.boolean(),
  pods: z.boolean(),
  /** The memory of each microVM, in bytes. */
  machineBytes: z.int(),
  ready: z.int(),
  state: z.enum(['full', 'filling', 'failing']),
  /** Why the last fill failed; empty where it succeeded. */
  error: z.string(),
  /** Process ids of the microVMs that are ready. */
  pids: z.array(z.int()),
});
export type PoolSummary = Document<typeof PoolSummary>;

export const Pools = z.strictObject({ pools: z.array(PoolSummary) });
export type Pools = Document<typeof Pools>;
