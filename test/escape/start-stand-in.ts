/**
 * Starts a stand-in for a VMM or a helper, as a server does: the code that starts QEMU, passt,
 * virtiofsd or a converter is given another program, and the shim of libkrun a library that becomes
 * it.
 *
 * @module
 */

import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Helper } from '../../src/engine/helpers/helper.ts';
import { startPasst } from '../../src/engine/helpers/passt.ts';
import { startVirtiofsd } from '../../src/engine/helpers/virtiofsd.ts';
import { RunDirectory } from '../../src/engine/krun/run-directory.ts';
import { startShim } from '../../src/engine/krun/start-shim.ts';
import { spawnVmm } from '../../src/engine/qemu/boot/vmm.ts';
import type { VmSpec } from '../../src/engine/vm/vm-spec.ts';
import { jailProgram } from '../../src/images/converter/converter.ts';
import { DEFAULT_LIMITS } from '../../src/images/limits.ts';
import { decompressBy } from '../../src/jail/decoder.ts';
import type { JailProgram } from '../../src/jail/jail.ts';
import { spawnInJail } from '../../src/jail/spawn.ts';

const { program, root, box, library, shim, modules, standIn } = JSON.parse(
  process.argv[2] ?? '',
) as {
  program: 'qemu' | 'krun' | 'passt' | 'virtiofsd' | 'converter' | 'decoder';
  root: string;
  box: VmSpec['identity'];
  library: string;
  shim: string;
  modules: string;
  standIn: string;
};
const runtimeDir = join(root, 'box');
const spec: VmSpec = {
  ...{ id: 'a1'.repeat(32), runtimeDir, identity: box, cpus: 2, memoryBytes: 256 * 2 ** 20 },
  boot: {
    kernelPath: join(root, 'kernel'),
    initrdPath: join(root, 'initrd'),
    commandLine: ['quiet'],
  },
  disks: [{ path: join(root, 'changes'), serial: 'changes', readonly: false }],
  ...{ nic: undefined, shares: [] },
};
const signal = AbortSignal.timeout(60_000);
const DIGEST = `sha256:${'0'.repeat(64)}` as const;

/** Resolves when the stand-in has ended. */
const STARTS: Readonly<Record<typeof program, () => Promise<void>>> = {
  qemu: async () => {
    const plan = { spec, accelerator: 'tcg', start: 'boot', growthBytes: 2 ** 30 } as const;
    await untilEnded(await spawnVmm(plan, {}, join(runtimeDir, 'monitor'), standIn));
  },
  krun: async () => {
    const host = { library, program: shim, modules };
    const run = new RunDirectory(join(root, 'runs'), runtimeDir);
    await untilEnded(await startShim(spec, host, run, { signal, probeMs: 60_000 }));
  },
  // The stand-in does not listen as these do, so their start fails when it has ended.
  passt: async () => {
    // passt sees the runtime directory there.
    await failing(startPasst({ ports: [] }, runtimeDir, box, signal, `/tmp${standIn}`));
  },
  virtiofsd: async () => {
    const share = { tag: 'share', path: join(root, 'shared'), readonly: false };
    const servers = { runtimeDir, identity: box, count: 1 };
    await failing(startVirtiofsd(share, 0, servers, signal, standIn));
  },
  converter: async () => {
    const output = await open(join(root, 'changes'), 'r+');
    const layers = [{ diffId: DIGEST, size: 1, fd: 3 }] as const;
    const job = { layers, limits: DEFAULT_LIMITS };
    const jail = await jailProgram(['ignore', 'pipe', 'pipe', output.fd], job);
    const child = await spawnStandIn(jail);
    await once(child, 'close');
    await output.close();
  },
  decoder: async () => {
    const damaged = (reason: string): Error => new Error(reason);
    const decoded = decompressBy('gzip', nothing(), damaged, spawnStandIn);
    for await (const _ of decoded) throw new Error('the stand-in wrote output');
  },
};

/**
 * These programs see none of the box's files: the directory of the stand-in is added. It runs as a
 * user of its own, since converters of other tests would count among its processes.
 */
function spawnStandIn(jail: JailProgram): Promise<ChildProcess> {
  return spawnInJail({
    ...{ ...jail, path: standIn, args: [], identity: box },
    readable: [...jail.readable, runtimeDir],
  });
}

async function* nothing(): AsyncGenerator<Uint8Array> {
  // Ends at once.
}

async function untilEnded(helper: Helper): Promise<void> {
  while (!helper.ended.aborted && !signal.aborted) await delay(20);
  // It reports to the test, and says here why it could not.
  process.stderr.write(helper.lastLine);
  if (!helper.ended.aborted) throw new Error('the stand-in did not end');
}

async function failing(start: Promise<Helper>): Promise<void> {
  const reason = await start.then(
    () => 'it listens',
    (error: unknown) => String(error),
  );
  if (!reason.includes('exit status 0')) process.stderr.write(reason);
}

await STARTS[program]();
