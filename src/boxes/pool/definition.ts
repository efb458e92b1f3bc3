/**
 * The record of a pool: how many microVMs, and of which shape.
 *
 * @module
 */
import * as z from 'zod';
import { A3sError } from '../../errors.ts';
import { NO_LIMITS } from '../record/limits.ts';
import { checkResources } from '../spec/check-resources.ts';
import { NANO, vmMemory } from '../spec/resources.ts';

/** The limit of all pools together. Each microVM is a process that waits. */
export const MAX_POOLED_VMS = 64;

const Name = z.string().regex(/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}$/);

export const PoolDefinition = z.strictObject({
  name: Name,
  /** How many microVMs must be ready. */
  size: z.int().min(0).max(MAX_POOLED_VMS),
  cpus: z.int().min(1).max(1024),
  /** The memory as boxes ask for it; 0: the default. */
  memoryBytes: z.int().min(0),
  network: z.enum(['default', 'none']),
  /** Its microVMs take the directories and files of a host that a box mounts. */
  mounts: z.boolean().default(true),
  /** Its microVMs are for pods of Kubernetes, and for no boxes. */
  pods: z.boolean().default(false),
});
export type PoolDefinition = z.infer<typeof PoolDefinition>;

/** @throws A3sError `invalid-argument`, before anything is changed */
export function checkPool(
  definition: PoolDefinition,
  others: readonly PoolDefinition[],
  host: { cpus: number; memoryBytes: number },
): void {
  const { name, cpus, memoryBytes } = definition;
  if (!Name.safeParse(name).success) {
    throw new A3sError('invalid-argument', `Invalid pool name: ${name.slice(0, 64)}`, {
      remedy: 'Use up to 63 letters, digits, dots, dashes and underscores.',
    });
  }
  if (definition.pods && (definition.network !== 'default' || !definition.mounts)) {
    throw new A3sError(
      'invalid-argument',
      'Cannot have a pool of pods without a network or without mounts: every pod has both',
      { remedy: 'Leave out --network and --mounts.' },
    );
  }
  checkResources({ memoryBytes, nanoCpus: cpus * NANO, limits: NO_LIMITS }, host);
  const sum = [...others, definition].reduce((total, { size }) => total + size, 0);
  if (sum <= MAX_POOLED_VMS) return;
  throw new A3sError(
    'invalid-argument',
    `Cannot have ${sum} microVMs in pools: the most are ${MAX_POOLED_VMS}`,
    { remedy: 'Make this pool or another one smaller.' },
  );
}

/** The size of each microVM, in bytes. */
export function poolMemory({ memoryBytes }: Pick<PoolDefinition, 'memoryBytes'>): number {
  return vmMemory(memoryBytes);
}

/** Whether microVMs of one pool can serve the other. */
export function sameShape(a: PoolDefinition, b: PoolDefinition): boolean {
  const isSame = a.cpus === b.cpus && a.memoryBytes === b.memoryBytes;
  return isSame && a.network === b.network && a.mounts === b.mounts && a.pods === b.pods;
}

export function noSuchPool(name: string): A3sError {
  return new A3sError('no-such-pool', `No such pool: ${name.slice(0, 128)}`, {
    remedy: 'List them with a3s-box pool ls.',
  });
}
