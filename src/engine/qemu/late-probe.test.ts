import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { QemuEngine } from './engine.ts';

let directory: string;
let kernelPath: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'late-'));
  kernelPath = join(directory, 'kernel');
  // Nothing boots from this, with KVM or without.
  await writeFile(kernelPath, 'not a kernel', { mode: 0o444 });
});
afterEach(() => rm(directory, { recursive: true }));

it('emulates after a late probe, says so, and probes once more behind it', async () => {
  const told: string[] = [];
  const engine = new QemuEngine({
    boot: { kernelPath, initrdPath: kernelPath, commandLine: [] },
    cacheFile: join(directory, 'accelerator.json'),
    runtimeDir: join(directory, 'run'),
    kvmTimeoutMs: 1,
    onLateProbe: (reason) => told.push(reason),
  });
  const kvm = async () =>
    (await engine.report()).accelerators.find(({ name }) => name === 'kvm') ?? expect.fail();
  const first = await kvm();
  expect(first.available).toBe(false);
  // Without a device there is nothing to probe.
  if (first.reason?.includes('/dev/kvm') !== true) {
    await vi.waitFor(() => expect(told).toHaveLength(2), 20_000);
    expect(told[0]).toMatch(/within 0\.001 s; it is tried again with 0\.003 s$/);
    expect(told[1]).toMatch(/within 0\.003 s; it is tried again after an hour/);
    expect((await kvm()).reason).toBe(told[1]);
  }
  await engine.close();
});
