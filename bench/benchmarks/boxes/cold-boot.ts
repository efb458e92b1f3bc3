/**
 * `run --rm --network none IMAGE true` without any template, from the command line to its end,
 * against plain QEMU that boots the same kernel on the same machine with the same devices into a
 * program that powers off.
 *
 * @module
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Accelerator, VmSpec } from '../../../src/engine/vm/vm-spec.ts';
import { BUSYBOX } from '../../../test/e2e/installation.ts';
import type { Benchmark } from '../../benchmark.ts';
import { inTurns } from '../../in-turns.ts';
import { noopInitrd } from '../../peers/noop-initrd.ts';
import { chosenAccelerator, plainVm, startQemu } from '../../peers/plain-qemu.ts';
import { compared, timed } from '../../statistics.ts';
import { withActor } from '../../with-actor.ts';

const DEADLINE_MS = 60_000;
const RUN = ['run', '--rm', '--network', 'none', BUSYBOX, 'true'];

/** Boots straight to power-off, and returns when QEMU has ended. */
async function bootAndEnd(spec: VmSpec, accelerator: Accelerator): Promise<void> {
  const plan = { spec, accelerator, start: 'boot', growthBytes: 0 } as const;
  // No device is attached later, so nothing waits for one. The console is not read, so power-off is
  // the end.
  const { child, words } = await startQemu(plan, {}, (args) => [
    ...args.filter((argument) => argument !== '-S'),
    ...['-action', 'shutdown=poweroff'],
  ]);
  const deadline = setTimeout(() => child.kill('SIGKILL'), DEADLINE_MS);
  const code = await new Promise((resolve) => child.on('close', resolve));
  clearTimeout(deadline);
  if (code !== 0) throw new Error(`plain QEMU ended with ${String(code)}: ${words()}`);
}

export const coldBoot: Benchmark = {
  name: 'cold-boot',
  run: (asked) =>
    withActor(
      async ({ actor, root }) => {
        const directory = mkdtempSync(join(tmpdir(), 'a3s-plain-'));
        try {
          const vm = await plainVm(root, directory);
          const boot = { ...vm.boot, initrdPath: noopInitrd(directory) };
          // The first start chooses what both run on.
          await actor.ok(RUN);
          const accelerator = chosenAccelerator(actor.home);
          const { ours, plain } = await inTurns(asked, {
            plain: () => timed(() => bootAndEnd({ ...vm, boot }, accelerator)),
            ours: () => timed(() => actor.ok(RUN)),
          });
          const limit = { name: 'plain QEMU', samples: plain };
          return [compared('cold-boot', 'ms', ours, limit, '<= 1.2')];
        } finally {
          rmSync(directory, { recursive: true, force: true });
        }
      },
      { A3S_TEMPLATES: 'off' },
    ),
};
