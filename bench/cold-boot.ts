/**
 * `run --rm IMAGE true` from the command line to its end, against plain QEMU that boots the same kernel on the same machine with
 * the same devices into a program that powers off.
 *
 * @module
 */
import { execFileSync, spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readBootSet } from '../src/boot/bootset.ts';
import { cpio } from '../src/boot/cpio.ts';
import type { MachineSpec } from '../src/engine/engine.ts';
import { type Accelerator, qemuArguments } from '../src/engine/qemu/arguments.ts';
import { Actor } from '../test/e2e/actor.ts';
import { BUSYBOX, install } from '../test/e2e/installation.ts';
import { type Benchmark, compared, timed } from './statistics.ts';

const MEMORY = 512 * 1024 * 1024;

/** Boots straight to power-off, and returns when QEMU has ended. */
async function plainQemu(spec: MachineSpec, accelerator: Accelerator): Promise<void> {
  const kernel = openSync(spec.boot.kernelPath, 'r');
  const initrd = openSync(spec.boot.initrdPath, 'r');
  const kvm = accelerator === 'kvm' ? openSync('/dev/kvm', 'r+') : undefined;
  const fds = { kernel: 3, initrd: 4, kvm: kvm === undefined ? undefined : 5, disks: [] };
  const args = qemuArguments(spec, accelerator, fds);
  // Nothing is plugged in, so nothing has to wait; nobody reads the console, so power-off is the end.
  const child = spawn(
    'qemu-system-x86_64',
    [...args.filter((argument) => argument !== '-S'), '-action', 'shutdown=poweroff'],
    { stdio: ['ignore', 'ignore', 'inherit', kernel, initrd, ...(kvm === undefined ? [] : [kvm])] },
  );
  closeSync(kernel);
  closeSync(initrd);
  if (kvm !== undefined) closeSync(kvm);
  const deadline = setTimeout(() => child.kill('SIGKILL'), 60_000);
  const code = await new Promise((resolve) => child.on('close', resolve));
  clearTimeout(deadline);
  if (code !== 0) throw new Error(`plain QEMU ended with ${String(code)}`);
}

/** What boxes run on here. There is a verdict where there was a choice; the first start makes it. */
function chosenAccelerator(home: string): Accelerator {
  const verdict = join(home, 'accelerator.json');
  if (!existsSync(verdict)) return 'tcg';
  const { accelerator } = JSON.parse(readFileSync(verdict, 'utf8')) as { accelerator: Accelerator };
  return accelerator;
}

function noopInitrd(directory: string): string {
  const program = join(directory, 'init');
  execFileSync('gcc', ['-static', '-O2', '-o', program, join(import.meta.dirname, 'noop-init.c')]);
  const path = join(directory, 'initrd');
  writeFileSync(
    path,
    cpio([{ kind: 'file', path: 'init', mode: 0o755, data: readFileSync(program) }]),
  );
  return path;
}

export const coldBoot: Benchmark = {
  name: 'cold-boot',
  async run(samples) {
    const installation = await install();
    const directory = mkdtempSync(join(tmpdir(), 'a3s-bench-'));
    const actor = new Actor('root', installation);
    try {
      await actor.load('busybox');
      const bootSet = await readBootSet(join(installation.root, 'dist/boot'));
      const spec: MachineSpec = {
        id: '0'.repeat(64),
        runtimeDir: directory,
        identity: { uid: 0, gid: 0 },
        cpus: 1,
        memoryBytes: MEMORY,
        boot: { ...bootSet, initrdPath: noopInitrd(directory) },
        disks: [],
        nic: undefined,
        shares: [],
      };
      const run = ['run', '--rm', '--network', 'none', BUSYBOX, 'true'];
      await actor.ok(run);
      const accelerator = chosenAccelerator(actor.home);
      const boxes: number[] = [];
      const plain: number[] = [];
      // Interleaved, so that a busy minute hits both.
      for (let sample = 0; sample < samples; sample += 1) {
        plain.push(await timed(() => plainQemu(spec, accelerator)));
        boxes.push(await timed(() => actor.ok(run)));
      }
      return [
        compared(
          'run --rm IMAGE true, cold',
          'ms',
          boxes,
          { name: 'plain QEMU', samples: plain },
          '< 1.3',
        ),
      ];
    } finally {
      await actor.leave();
      installation.remove();
      rmSync(directory, { recursive: true, force: true });
    }
  },
};
