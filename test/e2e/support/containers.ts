/**
 * Containers of a pod, whose disks are attached to a microVM that runs.
 *
 * @module
 */
import { execFile } from 'node:child_process';
import { mkdir, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import {
  CONTAINER_SPEC_SCHEMA,
  type ContainerSpec,
  POD_SPEC_SCHEMA,
  type PodSpec,
} from '@a3s-box/policies';
import { expect } from 'vitest';
import type { Vm } from '../../../src/engine/vm/vm.ts';
import type { Guest } from '../../../src/guest/guest.ts';
import type { GuestContainer } from '../../../src/guest/guest-container.ts';
import { MAIN } from '../../../src/guest/protocol.ts';
import { makeLayer, processOf } from './busybox-guest.ts';
import { within } from './within.ts';

const run = promisify(execFile);
const MIB = 1024 * 1024;
const POD_BYTES = 96 * MIB;
const CONTAINER_BYTES = 48 * MIB;

function podSpec(network: PodSpec['network']): PodSpec {
  return {
    schema: POD_SPEC_SCHEMA,
    hostname: 'pod1',
    network,
    resources: { memoryBytes: POD_BYTES },
  };
}

function containerSpec(name: string, changes: ContainerSpec['rootfs']['changes']): ContainerSpec {
  return {
    schema: CONTAINER_SPEC_SCHEMA,
    rootfs: { layers: [{ serial: `${name}-layer` }], changes, readonly: false },
    process: processOf(['sh', '-c', 'echo ready; exec sleep 1000']),
    mounts: [],
    confinement: {
      ...{ capabilities: [], noNewPrivileges: false, seccomp: 'default' },
      ...{ maskedPaths: [], readonlyPaths: [] },
    },
    resources: { memoryBytes: CONTAINER_BYTES },
  };
}

/**
 * Runs two containers, removes one and starts it again with the disk that it wrote to.
 *
 * @param guest has no spec yet
 * @param directory a new one
 */
export async function runContainers(
  vm: Vm,
  guest: Guest,
  directory: string,
  network: PodSpec['network'] = { kind: 'none' },
): Promise<void> {
  await mkdir(directory, { mode: 0o711 });
  const layer = await makeLayer(directory, ['sh', 'sleep', 'cat', 'echo', 'hostname', 'readlink']);
  const disk = join(directory, 'changes');
  await writeFile(disk, '', { mode: 0o600 });
  await truncate(disk, 32 * MIB);
  await run('mkfs.ext4', ['-q', '-F', disk]);
  await guest.putPod(podSpec(network));

  const start = async (name: string, kept: boolean): Promise<GuestContainer> => {
    const changes = kept ? [{ path: disk, serial: `${name}-changes`, readonly: false }] : [];
    const disks = [{ path: layer, serial: `${name}-layer`, readonly: true }, ...changes];
    await vm.attachDisks(name, disks);
    const container = guest.container(name);
    const serial = `${name}-changes`;
    await container.put(containerSpec(name, kept ? { kind: 'disk', serial } : { kind: 'memory' }));
    await container.startMain();
    return container;
  };
  const stop = async (container: GuestContainer): Promise<void> => {
    await within(`the removal of ${container.id}`, container.remove());
    await within(`the disks of ${container.id}`, vm.detachDisks(container.id));
  };

  const first = await start('c1', true);
  const second = await start('c2', false);
  const script = 'cat /proc/self/cgroup; hostname; echo kept >/file; echo common >/dev/shm/file';
  expect(await outputOf(first, script)).toBe('0::/\npod1\n');
  expect(await outputOf(second, 'cat /dev/shm/file; echo /fil*')).toBe('common\n/fil*\n');
  const limits = await Promise.all([guest, first, second].map((each) => each.stats()));
  const bytes = limits.map(({ detail }) => detail?.memoryLimitBytes);
  expect(bytes).toEqual([POD_BYTES, CONTAINER_BYTES, CONTAINER_BYTES]);
  const names = (await second.top()).map(({ args }) => args[0]);
  expect(names).toEqual(['sleep']);

  await stop(first);
  expect((await guest.containers()).map(({ id }) => id)).toEqual(['c2']);
  const again = await start('c1', true);
  expect(await outputOf(again, 'cat /file')).toBe('kept\n');
  expect((await second.process(MAIN)).state).toBe('running');
  for (const container of [again, second]) await stop(container);
  expect(await guest.containers()).toEqual([]);
}

async function outputOf(container: GuestContainer, script: string): Promise<string> {
  const { output, exit } = await container.launch('e', processOf(['sh', '-c', script]));
  const pieces: Buffer[] = [];
  for await (const { data } of output) pieces.push(data);
  expect(await exit).toMatchObject({ exitCode: 0 });
  await container.forget('e');
  return Buffer.concat(pieces).toString();
}
