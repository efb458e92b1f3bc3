import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { explainEnd, KrunVm, lastWords } from './krun-vm.ts';
import { RunDirectory } from './run-directory.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'a3s-krun-vm-'));
});
afterEach(() => rmSync(root, { recursive: true }));

/** A VM whose processes have ended, with a console that cannot be read. */
function unreadable(): { vm: KrunVm; run: RunDirectory } {
  const runtimeDir = join(root, 'r');
  const run = new RunDirectory(join(root, 'krun'), runtimeDir);
  mkdirSync(run.fileOf('console'), { recursive: true });
  const size = { cpus: 1, memoryBytes: 2 ** 27 };
  const processes = { shim: undefined, monitor: [], helpers: [] };
  return { vm: new KrunVm({ id: 'a', runtimeDir, size, run, ...processes }), run };
}

it('says that it has ended where its end cannot be read', async () => {
  const { vm } = unreadable();
  expect(await vm.exited).toEqual({ reason: 'crashed', detail: 'its end could not be read' });
});

it('ends again where that has failed', async () => {
  const { vm, run } = unreadable();
  await expect(vm.kill()).rejects.toThrow('EISDIR');
  rmSync(run.fileOf('console'), { recursive: true });
  await vm.kill();
});

it.each([
  ['powered off', '', { reason: 'poweroff', detail: '' }],
  [
    'panicked',
    'x\r\nKernel panic - not syncing: no init\r\n',
    { reason: 'panic', detail: 'Kernel panic - not syncing: no init' },
  ],
  [
    'found other devices than libkrun has',
    'a3s-agent failed: find virtio-mmio devices: the command line names 5, and 0 were found\r\n',
    {
      reason: 'poweroff',
      detail:
        'a3s-agent failed: find virtio-mmio devices: the command line names 5, and 0 were found',
    },
  ],
])('says by the console that the guest %s', (_, console, end) => {
  expect(explainEnd({ status: 0, failed: undefined }, Buffer.from(console), '')).toEqual(end);
});

it('says which assertion of libkrun failed, instead of what the shell says of it', () => {
  const lines = [
    "thread '<unnamed>' (6) panicked at src/vmm/src/linux/vstate.rs:447:30:",
    'Error creating the Kvm object: Error(13)',
    'fatal runtime error: failed to initiate panic, error 5, aborting',
    'Aborted',
  ];
  expect(lastWords(lines)).toBe('Error creating the Kvm object: Error(13)');
  expect(lastWords(['krun-shim: no library'])).toBe('krun-shim: no library');
  expect(lastWords([])).toBe('');
});
