import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, type TestContext } from 'vitest';
import {
  chooseAccelerator,
  closedDevice,
  confirmAccelerator,
  holds,
  judge,
  type ProbeOptions,
  type Verdict,
} from './accelerator.ts';

let directory: string;
let options: ProbeOptions;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kvm-'));
  const kernelPath = join(directory, 'kernel');
  // This kernel does not boot, with or without KVM.
  await writeFile(kernelPath, 'not a kernel', { mode: 0o444 });
  options = {
    boot: { kernelPath, initrdPath: kernelPath, commandLine: [] },
    qemuVersion: '10.0',
    cacheFile: join(directory, 'home', 'accelerator.json'),
    runtimeDir: join(directory, 'probe'),
    probeMs: 10_000,
  };
});
afterEach(() => rm(directory, { recursive: true }));

/** Without /dev/kvm there is nothing to probe, and no verdict is stored. */
function skipWithoutDevice(context: TestContext, { reason }: Verdict): void {
  if (reason?.includes('/dev/kvm') === true) context.skip(reason);
}

it('falls back to emulation with a reason when nothing boots, and leaves no files', async () => {
  const verdict = await chooseAccelerator(options);
  expect(verdict.accelerator).toBe('tcg');
  expect(verdict.reason).toMatch(/KVM|\/dev\/kvm/);
  expect(await readdir(directory)).not.toContain('probe');
});

it('reuses a stored verdict only for the same QEMU, host and boot set', async (context) => {
  const first = await chooseAccelerator(options);
  skipWithoutDevice(context, first);
  const kept = JSON.parse(await readFile(options.cacheFile, 'utf8'));
  await writeFile(options.cacheFile, JSON.stringify({ key: kept.key, accelerator: 'kvm' }));
  expect((await chooseAccelerator(options)).accelerator).toBe('kvm');
  const newer = { ...options, qemuVersion: '10.1' };
  expect((await chooseAccelerator(newer)).accelerator).toBe('tcg');
  await writeFile(options.cacheFile, '{"key": damaged');
  expect((await chooseAccelerator(options)).accelerator).toBe('tcg');
});

it('asks again for a device that could not be opened', async () => {
  const device = join(directory, 'kvm');
  const missing = await closedDevice(device);
  expect(missing).toMatchObject({
    accelerator: 'tcg',
    reason: expect.stringMatching(/no .dev.kvm/),
  });
  expect(missing !== undefined && holds(missing, Date.now())).toBe(false);
  await writeFile(device, '');
  expect(await closedDevice(device)).toBeUndefined();
});

it('distrusts after an hour a verdict that came of a timeout, and no other verdict', () => {
  const hour = 3_600_000;
  const late = judge({ reason: 'late', late: true }, 1000);
  expect(late).toEqual({ accelerator: 'tcg', reason: 'late', until: 1000 + hour });
  expect([999, 1000, hour + 999, hour + 1000].map((now) => holds(late, now))).toEqual([
    // A time before the verdict, as after the clock was set back.
    false,
    true,
    true,
    false,
  ]);
  const broken = judge({ reason: 'broken', late: false }, 1000);
  expect([broken, judge(undefined, 1000)].every((each) => holds(each, 1e15))).toBe(true);
});

it('probes again when a stored verdict has expired', async (context) => {
  const first = await chooseAccelerator({ ...options, probeMs: 1 });
  skipWithoutDevice(context, first);
  expect(first.until).toBeGreaterThan(Date.now());
  const now = (): number => (first.until ?? 0) + 1;
  expect(await chooseAccelerator(options)).toEqual(first);
  expect((await chooseAccelerator({ ...options, now })).until).toBeUndefined();
});

it('marks a first probe that timed out as unsure, and stores the verdict of a longer second probe', async (context) => {
  const first = await chooseAccelerator({ ...options, probeMs: 1 });
  skipWithoutDevice(context, first);
  expect(first).toMatchObject({
    accelerator: 'tcg',
    reason: 'a guest did not come up with KVM within 0.001 s; it is tried again with 0.003 s',
    unsure: true,
  });
  // A server that starts before the second probe has ended begins with that probe.
  expect((await chooseAccelerator(options)).unsure).toBe(true);
  const second = await confirmAccelerator({ ...options, probeMs: 1 });
  expect([second.accelerator, second.unsure]).toEqual(['tcg', undefined]);
  expect(second.reason).toMatch(
    /within 0\.003 s; it is tried again after an hour \(A3S_KVM_TIMEOUT /,
  );
  expect(await chooseAccelerator(options)).toEqual(second);
});

it('stores no verdict of a second probe that was aborted', async (context) => {
  const first = await chooseAccelerator({ ...options, probeMs: 1 });
  skipWithoutDevice(context, first);
  const confirming = confirmAccelerator({ ...options, signal: AbortSignal.abort() });
  await expect(confirming).rejects.toThrow();
  expect((await chooseAccelerator(options)).unsure).toBe(true);
});

it('stores no verdict of a first probe that was aborted', async (context) => {
  const signal = AbortSignal.abort();
  const asked = chooseAccelerator({ ...options, signal });
  const verdict = await asked.catch((error: unknown) => error);
  if (verdict !== signal.reason) skipWithoutDevice(context, verdict as Verdict);
  expect(verdict).toBe(signal.reason);
  await expect(readFile(options.cacheFile)).rejects.toThrow('ENOENT');
});
