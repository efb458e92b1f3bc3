/**
 * A guest without a control server: a microVM from the engine, whose image is busybox alone.
 *
 * @module
 */
import { execFile } from 'node:child_process';
import { chmod, cp, mkdir, symlink } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { ProcessSpec } from '@a3s-box/policies';
import { readBootSet } from '../../../src/boot/bootset.ts';
import type { Vm } from '../../../src/engine/vm/vm.ts';
import { connectGuest } from '../../../src/guest/connection.ts';
import type { Guest } from '../../../src/guest/guest.ts';
import { identityFor } from '../../../src/jail/identity.ts';
import { engineCache } from '../installation.ts';
import { scaled } from '../time-scale.ts';
import { openEngine } from './engines.ts';

const run = promisify(execFile);
const DEADLINE_MS = scaled(120_000);

interface BusyboxGuest {
  readonly vm: Vm;
  readonly guest: Guest;
}

/** A process of such a guest. */
export function processOf(args: string[], more: Partial<ProcessSpec> = {}): ProcessSpec {
  const env = ['PATH=/bin'];
  return { args, env, cwd: '/', user: '', terminal: false, stdin: false, ...more };
}

/**
 * Boots the microVM, whose guest has no spec yet.
 *
 * @param root directory of the caller, which removes it
 * @param programs of busybox that are in `/bin`
 */
export async function bootBusybox(
  root: string,
  programs: readonly string[],
): Promise<BusyboxGuest> {
  await chmod(root, 0o711);
  const boot = await readBootSet(process.env['A3S_BOOT'] ?? resolve('dist/boot'));
  const runtimeDir = join(root, 'box');
  await mkdir(runtimeDir);
  const engine = openEngine({ boot, cacheFile: engineCache(root), runtimeDir: root });
  const { signal } = new AbortController();
  const vm = await engine.launch(
    {
      id: 'a7'.repeat(32),
      runtimeDir,
      identity: identityFor(process.geteuid?.() ?? 0, process.getegid?.() ?? 0, []),
      cpus: 1,
      memoryBytes: 256 * 2 ** 20,
      boot,
      disks: [{ path: await makeLayer(root, programs), serial: 'layer-0', readonly: true }],
      nic: undefined,
      shares: [],
    },
    signal,
  );
  try {
    return { vm, guest: await connectGuest(vm, { signal, deadlineMs: DEADLINE_MS }) };
  } catch (error) {
    await vm.kill();
    throw error;
  }
}

/** A layer with busybox and nothing else. */
export async function makeLayer(root: string, programs: readonly string[]): Promise<string> {
  const tree = join(root, 'tree');
  await mkdir(join(tree, 'bin'), { recursive: true });
  await cp('/usr/bin/busybox', join(tree, 'bin', 'busybox'), { dereference: true });
  for (const name of programs) await symlink('busybox', join(tree, 'bin', name));
  const layer = join(root, 'layer');
  await run('mkfs.erofs', ['-T0', '--all-root', layer, tree]);
  await chmod(layer, 0o444);
  return layer;
}
