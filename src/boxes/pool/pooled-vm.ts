/**
 * One microVM of a pool: started from a template, warmed up, and paused until a box or a pod takes
 * it. It serves one or none.
 *
 * @module
 */
import { randomBytes } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { TEMPLATE_SLOTS } from '../../engine/vm/slots.ts';
import type { VmShape } from '../../engine/vm/template.ts';
import type { VmSpec } from '../../engine/vm/vm-spec.ts';
import { A3sError } from '../../errors.ts';
import { connectGuest } from '../../guest/connection.ts';
import type { JailIdentity } from '../../jail/jail.ts';
import { WRITABLE_LAYER_FILE } from '../disks/writable-layer.ts';
import { makeRuntimeDirectory, runtimeDirectory } from '../record/directories.ts';
import { RESUME_MS } from '../run/handshake.ts';
import type { Services } from '../services/services.ts';
import { podShape, podShare } from '../spec/pod-shape.ts';
import { NANO } from '../spec/resources.ts';
import { type PoolDefinition, poolMemory } from './definition.ts';
import type { Expiry, PooledVm } from './vm-pools.ts';
import { WARM_UP_MAC, warmUpDisk, warmUpSpec, writeWarmUpDisk } from './warm-up.ts';

const WARM_UP_DISK = 'warm-up.erofs';
/** The first version in which a guest that waits takes a card in place of its first. */
const LATE_CARD_PROTOCOL = 21;
/** Used where nothing says when the template is too old. */
const LONGEST_MS = 24 * 3_600_000;

export type Host = Pick<
  Services,
  'home' | 'runtimeDir' | 'boot' | 'engine' | 'templates' | 'log' | 'store' | 'identityFor'
> &
  Pick<Services, 'pods' | 'podMounts'>;

/** The directory of the microVMs' writable layers until boxes take them. */
export function poolsDirectory(home: string): string {
  return join(home, 'pools');
}

/** A new id of a microVM. */
export function newVmId(): string {
  return randomBytes(32).toString('hex');
}

/**
 * Starts a microVM from its template, warms it up and pauses it. Leaves nothing behind when it
 * cannot.
 *
 * @throws A3sError `template-unusable`, `out-of-memory`, `disk-full`, `vmm-failed`,
 * `agent-timeout`…; the signal's reason
 */
export async function fillOne(
  rt: Host,
  shape: PoolDefinition,
  { id, identity }: { readonly id: string; readonly identity: JailIdentity },
  signal: AbortSignal,
): Promise<PooledVm> {
  const bootSet = await rt.boot.current();
  const boot = await rt.boot.open(bootSet);
  const { cpus } = shape;
  const vmShape: VmShape = shape.pods ? podShape(cpus * NANO, boot) : { cpus, boot };
  await rt.templates.make(vmShape, signal);
  const taken = await rt.templates.take(vmShape);
  if (taken === undefined) {
    throw new A3sError('template-unusable', 'There is no template for the microVMs of the pool');
  }
  const takesCard = shape.network !== 'none';
  if (takesCard && taken.protocol < LATE_CARD_PROTOCOL) {
    taken.release();
    throw new A3sError(
      'unsupported-option',
      `Cannot fill a pool of the network ${shape.network}: the guest agent of this boot set speaks protocol ${taken.protocol}, and such pools need ${LATE_CARD_PROTOCOL}`,
      { remedy: 'Make a boot set with the current agent: npm run setup.' },
    );
  }
  const expiry = expiryOf(rt, taken.template.key);
  const directory = join(poolsDirectory(rt.home), id);
  const runtimeDir = runtimeDirectory(rt, id);
  try {
    signal.throwIfAborted();
    await makeRuntimeDirectory(runtimeDir, identity);
    await mkdir(directory, { mode: 0o700 });
    const writableLayerPath = join(directory, WRITABLE_LAYER_FILE);
    await taken.writeChanges(writableLayerPath, identity);
    const stage = join(directory, WARM_UP_DISK);
    await writeWarmUpDisk(stage);
    const shared = shape.pods ? await rt.podMounts.prepare(id) : undefined;
    const spec: VmSpec = {
      ...{ id, runtimeDir, identity, cpus, boot },
      memoryBytes: poolMemory(shape),
      disks: [{ path: writableLayerPath, serial: TEMPLATE_SLOTS.changes, readonly: false }],
      nic: undefined,
      shares: shared === undefined ? [] : [podShare(shared)],
      takesShares: shape.mounts && !shape.pods,
      sparePorts: vmShape.sparePorts,
      template: taken.template,
    };
    const vm = await rt.engine.launch(spec, signal);
    const guest = await connectGuest(vm, { signal, deadlineMs: RESUME_MS });
    // It is attached while the guest runs, as the box's layers will be.
    await vm.attach([warmUpDisk(stage)]);
    const warmUp = warmUpSpec(shape.network);
    // The guest cleans up after the first warm-up during the second. It also takes other code paths
    // the second time.
    await guest.warmUp(warmUp, signal);
    // The second warm-up has a card that is attached later, as a box will. The microVM waits
    // without one: what a card leads to cannot be changed.
    if (takesCard) await vm.attachNic(0, { mac: WARM_UP_MAC });
    await guest.warmUp(warmUp, signal);
    if (takesCard) await vm.detachNic(0);
    await vm.pause();
    return {
      ...{ vm, identity, guest, taken, shape, bootSet, expiry },
      ...{ writableLayerPath, directory, shared },
    };
  } catch (error) {
    await endVm(rt, { id, taken, directory, shape });
    signal.throwIfAborted();
    if (error instanceof A3sError && error.code === 'template-unusable') {
      await rt.templates.drop(taken.template.key, error.message);
    }
    throw error;
  }
}

/** Ends the microVM, and removes all that it had. */
export async function endPooled(
  rt: Pick<Host, 'engine' | 'runtimeDir' | 'podMounts'>,
  pooled: PooledVm,
): Promise<void> {
  const { vm, guest, taken, directory, shape } = pooled;
  guest.close();
  await vm.kill();
  await vm.exited;
  await vm.release();
  await endVm(rt, { id: vm.id, taken, directory, shape });
}

async function endVm(
  rt: Pick<Host, 'engine' | 'runtimeDir' | 'podMounts'>,
  given: { readonly id: string } & Pick<PooledVm, 'taken' | 'directory' | 'shape'>,
): Promise<void> {
  const { id, taken, directory, shape } = given;
  const runtimeDir = runtimeDirectory(rt, id);
  await rt.engine.sweep(id, runtimeDir);
  // Only after the sweep: until then, its user could put links in the way.
  await rm(runtimeDir, { recursive: true, force: true });
  await rm(directory, { recursive: true, force: true });
  if (shape.pods) await rt.podMounts.end(id);
  taken.release();
}

function expiryOf(rt: Host, key: string): Expiry {
  const found = rt.templates.list().some((each) => each.key === key);
  const at = found ? Date.parse(rt.templates.inspect(key).expiresAt ?? '') : Number.NaN;
  const left = Number.isNaN(at) ? LONGEST_MS : at - Date.now();
  return { wall: Date.now() + left, steady: performance.now() + left };
}

/** Whether its template is too old. */
export function isExpired({ expiry: { wall, steady } }: Pick<PooledVm, 'expiry'>): boolean {
  return Date.now() >= wall || performance.now() >= steady;
}
