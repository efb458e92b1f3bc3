/**
 * Starts a stand-in for a VMM, as a server does: the code that starts QEMU is given another
 * program, and the shim of libkrun a library that becomes it.
 *
 * @module
 */

import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { VmSpec } from '../../src/engine/engine.ts';
import { RunDirectory } from '../../src/engine/krun/run-directory.ts';
import { startShim } from '../../src/engine/krun/start-shim.ts';
import { spawnVmm } from '../../src/engine/qemu/boot/vmm.ts';

const { engine, root, box, library, shim, modules, standIn } = JSON.parse(
  process.argv[2] ?? '',
) as {
  engine: 'qemu' | 'krun';
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
const helper =
  engine === 'qemu'
    ? await spawnVmm(
        { spec, accelerator: 'tcg', start: 'boot', growthBytes: 2 ** 30 },
        {},
        join(runtimeDir, 'monitor'),
        standIn,
      )
    : await startShim(
        spec,
        { library, program: shim, modules },
        new RunDirectory(join(root, 'runs'), runtimeDir),
        { signal, probeMs: 60_000 },
      );
while (!helper.ended.aborted && !signal.aborted) await delay(20);
// It reports to the test, and says here why it could not.
process.stderr.write(helper.lastLine);
if (!helper.ended.aborted) throw new Error('the stand-in did not end');
