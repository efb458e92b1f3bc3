/**
 * Attaches disks to a VM that runs, and detaches them: the disks of one name fill root ports of
 * their own, since a port is given up as a whole.
 *
 * The monitor alone knows what is attached, so a server that adopts the VM can detach them too.
 *
 * @module
 */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import * as z from 'zod';
import { retry } from '../../../async/retry.ts';
import { A3sError } from '../../../errors.ts';
import type { Disk } from '../../vm/devices.ts';
import { overlaySet } from '../command-line/descriptor-sets.ts';
import { type Command, type DiskSets, diskOfSets, modern } from '../command-line/devices.ts';
import { freeSlots } from '../command-line/slots.ts';
import { executeAll } from './execute-all.ts';
import { attachedDevices, DETACH_MS, freePorts } from './hotplug.ts';
import { ANY_ANSWER, type QmpClient } from './qmp.ts';

type Monitor = Pick<QmpClient, 'execute'>;

const { O_NOFOLLOW, O_RDONLY, O_RDWR } = constants;

const Nodes = z.array(z.object({ 'node-name': z.string().max(64) })).max(4096);

/**
 * @param name letters and digits, at most 16
 * @param confidential the guest shares little of its memory, and has no hot-plug: what is attached
 * stays, and is there for the same disks again
 * @throws A3sError `conflict`, `invalid-argument`, `state-unusable`, `vmm-failed`; nothing is
 * attached then
 */
export async function attachDiskSet(
  monitor: Monitor,
  name: string,
  disks: readonly Disk[],
  confidential = false,
): Promise<void> {
  if (confidential && (await isAttached(monitor, name, disks.length))) return;
  if (!confidential) await detachDiskSet(monitor, name);
  const slots = freeSlots(disks.length, await freePorts(monitor));
  if (slots === undefined) {
    throw new A3sError(
      'conflict',
      `Cannot attach ${disks.length} disks: the microVM has no place for them`,
      { remedy: 'Remove another container of the pod.' },
    );
  }
  const used: number[] = [];
  const handOver = async (path: string, access: number): Promise<number> => {
    const set = overlaySet();
    used.push(set);
    await passFile(monitor, path, access, set);
    return set;
  };
  try {
    const sets: DiskSets[] = [];
    for (const { path, readonly, backing = [] } of disks) {
      const below: number[] = [];
      for (const image of backing) below.push(await handOver(image, O_RDONLY));
      sets.push({ top: await handOver(path, readonly ? O_RDONLY : O_RDWR), below });
    }
    await executeAll(
      monitor,
      slots.flatMap(([index, slot]) => {
        const [disk, own] = [disks[index], sets[index]];
        if (disk === undefined || own === undefined) return [];
        const commands = diskOfSets(disk, own, `${prefix(name)}${index}`, slot);
        return confidential ? commands.map(sharedAlone) : commands;
      }),
    );
  } catch (error) {
    // The guest does not know of the port yet: function 0 is the last one that is attached.
    if (!confidential) await detachDiskSet(monitor, name).catch(() => undefined);
    throw error;
  } finally {
    // The open disks keep descriptors of their own.
    for (const set of used) {
      await monitor.execute('remove-fd', { 'fdset-id': set }, ANY_ANSWER).catch(() => undefined);
    }
  }
}

/** @throws A3sError `conflict` where some of the disks are attached, and others are not */
async function isAttached(monitor: Monitor, name: string, count: number): Promise<boolean> {
  const own = prefix(name);
  const found = (await attachedDevices(monitor)).filter((id) => id.startsWith(own)).length;
  if (found === 0 || found === count) return found > 0;
  throw new A3sError('conflict', `Cannot attach ${count} disks: the microVM has ${found} of them`, {
    remedy: 'Remove the pod.',
  });
}

function sharedAlone([command, args, ...rest]: Command): Command {
  return [command, command === 'device_add' ? modern(args) : args, ...rest];
}

/** @throws A3sError `vmm-failed` where the guest keeps them */
export async function detachDiskSet(monitor: Monitor, name: string): Promise<void> {
  const own = prefix(name);
  const left = async (): Promise<string[]> =>
    (await attachedDevices(monitor)).filter((id) => id.startsWith(own));
  const ids = await left();
  // Any of them makes the guest give up the whole port. One may be on its way already.
  for (const id of ids) {
    await monitor.execute('device_del', { id }, ANY_ANSWER).catch(() => undefined);
  }
  const gone = async (): Promise<true | undefined> =>
    (await left()).length === 0 ? true : undefined;
  // QEMU lets go of the files of a device a little after it is gone.
  const closed = async (): Promise<true | undefined> => {
    const nodes = await monitor.execute('query-named-block-nodes', { flat: true }, Nodes);
    const names = nodes.map((node) => node['node-name']).filter((node) => node.startsWith(own));
    let busy = 0;
    for (const node of topFirst(names)) {
      const args = { 'node-name': node };
      await monitor.execute('blockdev-del', args, ANY_ANSWER).catch(() => busy++);
    }
    return busy === 0 ? true : undefined;
  };
  try {
    const deadline = AbortSignal.timeout(DETACH_MS);
    await retry(gone, deadline);
    await retry(closed, deadline);
  } catch (cause) {
    if (cause instanceof A3sError) throw cause;
    throw new A3sError('vmm-failed', 'Cannot detach disks: the guest keeps them', {
      remedy: 'Remove the pod.',
      cause,
    });
  }
}

/** Images below a disk have its name and their number from the lowest: a node above goes first. */
function topFirst(nodes: readonly string[]): string[] {
  const depth = (node: string): number => {
    const below = node.split('-')[3];
    return below === undefined ? Number.POSITIVE_INFINITY : Number(below);
  };
  return [...nodes].sort((a, b) => depth(b) - depth(a));
}

/** Ids of devices and nodes begin with it. */
function prefix(name: string): string {
  if (!/^[a-z0-9]{1,16}$/.test(name)) {
    throw new A3sError('invalid-argument', `Cannot name disks ${JSON.stringify(name)}`);
  }
  return `set-${name}-`;
}

async function passFile(
  monitor: Monitor,
  path: string,
  access: number,
  set: number,
): Promise<void> {
  const file = await open(path, access | O_NOFOLLOW).catch((cause: unknown) => {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new A3sError('state-unusable', `Cannot attach ${path} to a microVM: ${why}`, { cause });
  });
  try {
    await monitor.execute('add-fd', { 'fdset-id': set }, ANY_ANSWER, file.fd);
  } finally {
    await file.close();
  }
}
