/**
 * Changes the limits and the restart policy of a box, while it runs or before its next start.
 *
 * @module
 */
import { isDeepStrictEqual } from 'node:util';
import { requireFeature } from '../../engine/engine-name.ts';
import { A3sError } from '../../errors.ts';
import { checkRates } from '../confidential/check.ts';
import type { Box, BoxDefinition, RestartPolicy } from '../record/box.ts';
import type { Limits } from '../record/limits.ts';
import type { RunServices } from '../run/run-services.ts';
import { notRunning, type RunningBox } from '../run/running-box.ts';
import { applyToRunning } from '../run/running-limits.ts';
import { publish } from '../services/publish.ts';
import { checkResources } from '../spec/check-resources.ts';
import { askedCpus, resourcesOf, vmCpus, vmMemory } from '../spec/resources.ts';

/** Undefined values stay as they are. */
export interface UpdateRequest {
  readonly memoryBytes?: number | undefined;
  readonly nanoCpus?: number | undefined;
  readonly limits: {
    readonly [Key in keyof Omit<Limits, 'disk' | 'ulimits'>]?: Limits[Key] | undefined;
  };
  readonly disk: { readonly [Key in keyof Limits['disk']]?: number | undefined };
  readonly restart?: RestartPolicy | undefined;
}

/** What an update needs of the server. */
export type UpdateHost = Pick<
  RunServices,
  'host' | 'store' | 'running' | 'events' | 'locks' | 'log'
>;

type Changed = Pick<BoxDefinition, 'memoryBytes' | 'nanoCpus' | 'limits' | 'restart'>;

/**
 * Makes all changes, or none.
 *
 * @throws A3sError `invalid-argument` and `unsupported-option` as at create; `conflict` for values
 * that do not fit the box's other values, or its running microVM
 */
export async function updateBox(rt: UpdateHost, id: string, request: UpdateRequest): Promise<void> {
  await rt.locks.run(id, async () => {
    const box = rt.store.expect(id);
    const { definition, state } = box;
    if (state.status === 'removing') {
      throw refused(id, 'Container is marked for removal and cannot be "update".');
    }
    checkTogether(definition, request);
    const { memoryBytes, nanoCpus, limits, restart } = definition;
    const before: Changed = { memoryBytes, nanoCpus, limits, restart };
    const after = changed(before, request);
    checkResources(after, rt.host);
    checkMeasured(box, after);
    if (Object.values(after.limits.disk).some((rate) => rate > 0)) {
      requireFeature(box.definition.engine?.name, 'disk-limits', `limit the disk of ${box.name}`);
    }
    const running = runningOf(rt, box);
    if (running !== undefined) await checkRunningVm(running, before, after);
    // The record comes first: a server that takes over in between applies its limits.
    const updated = rt.store.redefine(id, after);
    try {
      if (running !== undefined) await applyToRunning(rt, running, before, after);
    } catch (error) {
      rt.store.redefine(id, before);
      throw error;
    }
    publish(rt, updated, 'update');
  });
}

function runningOf(
  rt: Pick<RunServices, 'running'>,
  { definition: { id }, state: { status } }: Box,
): RunningBox | undefined {
  if (status !== 'running' && status !== 'paused') return undefined;
  const running = rt.running.get(id);
  if (running === undefined) throw notRunning(id);
  return running;
}

/** What Docker refuses before it looks at any value. */
function checkTogether(definition: BoxDefinition, request: UpdateRequest): void {
  const { id, nanoCpus, autoRemove, limits: had } = definition;
  const { cpuPeriodUs = 0, cpuQuotaUs = 0 } = request.limits;
  if (autoRemove && (request.restart?.name ?? 'no') !== 'no') {
    throw refused(
      id,
      'Restart policy cannot be updated because AutoRemove is enabled for the container',
    );
  }
  if ((request.nanoCpus ?? 0) > 0) {
    const set = had.cpuPeriodUs > 0 ? 'Period' : had.cpuQuotaUs > 0 ? 'Quota' : undefined;
    if (set !== undefined) {
      throw refused(
        id,
        `Conflicting options: Nano CPUs cannot be updated as CPU ${set} has already been set`,
      );
    }
  }
  const given = cpuPeriodUs > 0 ? 'Period' : cpuQuotaUs > 0 ? 'Quota' : undefined;
  if (given !== undefined && nanoCpus > 0) {
    throw refused(
      id,
      `Conflicting options: CPU ${given} cannot be updated as NanoCPUs has already been set`,
    );
  }
}

function changed(before: Changed, request: UpdateRequest): Changed {
  const memoryBytes = request.memoryBytes ?? before.memoryBytes;
  const limits: Limits = {
    ...before.limits,
    ...defined(request.limits),
    disk: { ...before.limits.disk, ...defined(request.disk) },
  };
  const { memorySwapBytes: swap } = limits;
  // There is no swap, so memory and swap together equal the memory, whichever of them was named.
  const follows = request.limits.memorySwapBytes === undefined && swap > 0;
  return {
    memoryBytes,
    nanoCpus: request.nanoCpus ?? before.nanoCpus,
    limits: follows ? { ...limits, memorySwapBytes: memoryBytes } : limits,
    restart: request.restart ?? before.restart,
  };
}

function defined<T extends object>(values: T): { [Key in keyof T]?: Exclude<T[Key], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [Key in keyof T]?: Exclude<T[Key], undefined>;
  };
}

/**
 * Relying parties have seen the limits of a confidential box, and its guest takes limits only once.
 */
function checkMeasured({ definition, name }: Box, after: Changed): void {
  if (definition.confidential === undefined) return;
  checkRates(after.limits, definition.confidential.changes);
  if (isDeepStrictEqual(resourcesOf(definition), resourcesOf(after))) return;
  throw new A3sError(
    'unsupported-option',
    `Cannot update what ${name} may use: it is confidential, and its memory, CPUs, shares, reservation and number of processes are in the launch spec that is measured`,
    { remedy: 'Create another box with other limits.' },
  );
}

/** The guest has no more than it was started with. */
async function checkRunningVm(running: RunningBox, before: Changed, after: Changed): Promise<void> {
  const cpus = vmCpus(askedCpus(after));
  const memoryBytes = vmMemory(after.memoryBytes);
  const moreMemory = memoryBytes > vmMemory(before.memoryBytes);
  if (!moreMemory && cpus <= vmCpus(askedCpus(before))) return;
  const size = await running.vm.size();
  if (moreMemory && memoryBytes > size.memoryBytes) {
    throw outgrown(running.id, `${mib(memoryBytes)} MiB of memory`, `${mib(size.memoryBytes)} MiB`);
  }
  if (cpus > size.cpus) throw outgrown(running.id, `${cpus} CPUs`, `${size.cpus}`);
}

function outgrown(id: string, needed: string, has: string): A3sError {
  return new A3sError(
    'conflict',
    `Cannot update container ${id}: its microVM would need ${needed}, and was started with ${has}`,
    { remedy: 'Stop the box, update it, and start it again.' },
  );
}

function mib(bytes: number): number {
  return Math.ceil(bytes / 2 ** 20);
}

function refused(id: string, why: string): A3sError {
  return new A3sError('conflict', `Cannot update container ${id}: ${why}`);
}
