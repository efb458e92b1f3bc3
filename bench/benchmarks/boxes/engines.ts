/**
 * What the engines take before a guest runs, and what their jail takes: QEMU until its monitor
 * answers, and the shim of libkrun until it calls libkrun, of which the test library stands in the
 * place. The start of a microVM by libkrun itself is not in it.
 *
 * @module
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { bundleShim } from '../../../native/krun/src/testing/shim-process.ts';
import { TestLibraries } from '../../../native/krun/src/testing/test-library.ts';
import { kernelWithTables } from '../../../src/engine/krun/acpi/kernel-with-tables.ts';
import { RunDirectory } from '../../../src/engine/krun/run-directory.ts';
import { findShim, type ShimHost, startShim } from '../../../src/engine/krun/start-shim.ts';
import { endProcesses } from '../../../src/engine/processes/sweep.ts';
import { startVmm, vmmJail } from '../../../src/engine/qemu/boot/vmm.ts';
import { prepareDirectory } from '../../../src/engine/runtime-directory.ts';
import type { VmSpec } from '../../../src/engine/vm/vm-spec.ts';
import { identityFor } from '../../../src/jail/identity.ts';
import { spawnInJail } from '../../../src/jail/spawn.ts';
import type { Benchmark } from '../../benchmark.ts';
import { inTurns } from '../../in-turns.ts';
import { plainVm } from '../../peers/plain-qemu.ts';
import { proportional } from '../../process-memory.ts';
import { compared, timed } from '../../statistics.ts';
import { withActor } from '../../with-actor.ts';

const DEADLINE_MS = 60_000;
/** A program that does nothing. */
const NOTHING = '/usr/bin/true';

async function inJail(spec: VmSpec): Promise<void> {
  const child = await spawnInJail({
    ...{ ...vmmJail(spec), path: NOTHING, args: [], filter: { memoryFiles: false } },
    ...{ stdio: ['ignore', 'ignore', 'ignore'], outlives: false },
  });
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`a jail ended with ${String(code)}`);
}

async function withoutJail(): Promise<void> {
  await once(spawn(NOTHING, { stdio: 'ignore' }), 'close');
}

/** Starts one and ends it. Returns its memory in MiB. */
async function startQemuInJail(spec: VmSpec): Promise<{ started: number; memory: number }> {
  const signal = AbortSignal.timeout(DEADLINE_MS);
  const plan = { spec, accelerator: 'tcg', start: 'boot', growthBytes: 0 } as const;
  try {
    let pid = 0;
    const started = await timed(async () => {
      const { monitor, process } = await startVmm(plan, {}, () => undefined, signal);
      monitor.close();
      ({ pid } = process);
    });
    return { started, memory: proportional(pid) };
  } finally {
    await endProcesses(spec.runtimeDir);
  }
}

async function startShimInJail(
  spec: VmSpec,
  host: ShimHost,
  directory: string,
): Promise<{ started: number; memory: number }> {
  const run = new RunDirectory(directory, spec.runtimeDir);
  const waiting = { signal: AbortSignal.timeout(DEADLINE_MS), probeMs: DEADLINE_MS };
  try {
    const started = await timed(() => startShim(spec, host, run, waiting));
    const { shim } = await findShim(spec.runtimeDir);
    if (shim === undefined) throw new Error('the shim is gone');
    return { started, memory: proportional(shim.pid) };
  } finally {
    await endProcesses(spec.runtimeDir);
    await run.remove();
  }
}

export const engines: Benchmark = {
  name: 'engines',
  run: (asked) =>
    withActor(async ({ root }) => {
      // The path of a socket in it is short.
      const directory = mkdtempSync('/tmp/a3s-engines-');
      const libraries = new TestLibraries();
      try {
        chmodSync(directory, 0o711);
        const runtimeDir = join(directory, 'box');
        mkdirSync(runtimeDir);
        const identity = identityFor(process.geteuid?.() ?? 0, process.getegid?.() ?? 0, []);
        await prepareDirectory(runtimeDir, identity);
        const spec = { ...(await plainVm(root, runtimeDir)), identity };
        const kernelPath = await kernelWithTables(spec.boot.kernelPath, join(directory, 'kernels'));
        const forShim = { ...spec, boot: { ...spec.boot, kernelPath } };
        const host = {
          library: libraries.build({ defaults: { run: 'wait' } }),
          program: await bundleShim(libraries.directory),
          modules: resolve('node_modules'),
        };
        const memory: Record<'qemu' | 'krun', number[]> = { qemu: [], krun: [] };
        const { jailed, bare, qemu, krun } = await inTurns(asked, {
          bare: () => timed(withoutJail),
          jailed: () => timed(() => inJail(spec)),
          qemu: async () => {
            const found = await startQemuInJail(spec);
            memory.qemu.push(found.memory);
            return found.started;
          },
          krun: async () => {
            const found = await startShimInJail(forShim, host, join(directory, 'runs'));
            memory.krun.push(found.memory);
            return found.started;
          },
        });
        return [
          compared('engines-jail', 'ms', jailed, { name: 'without a jail', samples: bare }, ''),
          compared('engines-start', 'ms', krun, { name: 'QEMU', samples: qemu }, ''),
          compared(
            'engines-memory',
            'MiB',
            memory.krun,
            { name: 'QEMU', samples: memory.qemu },
            '',
          ),
        ];
      } finally {
        libraries[Symbol.dispose]();
        rmSync(directory, { recursive: true, force: true });
      }
    }),
};
