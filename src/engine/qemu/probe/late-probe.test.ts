import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { QemuEngine, type QemuEngineOptions } from '../qemu-engine.ts';
import * as accelerator from './accelerator.ts';

vi.mock('./accelerator.ts', { spy: true });

let directory: string;
let kernelPath: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'late-'));
  kernelPath = join(directory, 'kernel');
  // This kernel does not boot, with or without KVM.
  await writeFile(kernelPath, 'not a kernel', { mode: 0o444 });
});
afterEach(async () => {
  vi.restoreAllMocks();
  await rm(directory, { recursive: true });
});

type Reported = [accelerator: string, reason: string];

function engineThat(onLateProbe: QemuEngineOptions['onLateProbe']): QemuEngine {
  return new QemuEngine({
    boot: { kernelPath, initrdPath: kernelPath, commandLine: [] },
    cacheFile: join(directory, 'accelerator.json'),
    runtimeDir: join(directory, 'run'),
    kvmTimeoutMs: 1,
    ...(onLateProbe === undefined ? {} : { onLateProbe }),
  });
}

async function kvmOf(engine: QemuEngine) {
  const { accelerators } = await engine.report();
  return accelerators.find(({ name }) => name === 'kvm') ?? expect.fail();
}

it('emulates after a probe that timed out, reports it, and probes again in the background', async (context) => {
  const reported: Reported[] = [];
  const engine = engineThat((...found) => reported.push(found));
  try {
    const first = await kvmOf(engine);
    expect(first.available).toBe(false);
    if (first.reason?.includes('/dev/kvm') === true) {
      return context.skip(`there is nothing to probe: ${first.reason}`);
    }
    await vi.waitFor(() => expect(reported).toHaveLength(2), 20_000);
    expect(reported[0]).toEqual([
      'tcg',
      expect.stringMatching(/within 0\.001 s; it is tried again with 0\.003 s$/),
    ]);
    const [, second] = reported[1] ?? [];
    expect(second).toMatch(/within 0\.003 s; it is tried again after an hour/);
    expect((await kvmOf(engine)).reason).toBe(second);
  } finally {
    await engine.close();
  }
});

const LATE = { accelerator: 'tcg', reason: 'late', until: Date.now() + 60_000 } as const;

it('reports that the second probe found KVM, or why it failed', async () => {
  for (const [second, said] of [
    [
      async () => ({ accelerator: 'kvm', reason: undefined, until: undefined }) as const,
      ['kvm', 'a guest came up with more time'],
    ],
    [
      () => Promise.reject(new Error('ENOSPC')),
      ['tcg', 'the second probe of KVM failed: Error: ENOSPC'],
    ],
  ] as const) {
    vi.mocked(accelerator.closedDevice).mockResolvedValue(undefined);
    vi.mocked(accelerator.chooseAccelerator).mockResolvedValueOnce({ ...LATE, unsure: true });
    vi.mocked(accelerator.confirmAccelerator).mockImplementationOnce(second);
    const reported: Reported[] = [];
    const engine = engineThat((...found) => reported.push(found));
    await kvmOf(engine);
    await vi.waitFor(() => expect(reported).toEqual([['tcg', 'late'], said]), 20_000);
    expect((await kvmOf(engine)).available).toBe(said[0] === 'kvm');
    await engine.close();
  }
});

it('uses KVM as soon as its device can be opened', async () => {
  const closed = { accelerator: 'tcg', reason: 'closed', until: Date.now() } as const;
  const open = { accelerator: 'kvm', reason: undefined, until: undefined } as const;
  vi.mocked(accelerator.closedDevice).mockResolvedValueOnce(closed).mockResolvedValue(undefined);
  vi.mocked(accelerator.chooseAccelerator).mockResolvedValueOnce(open);
  const engine = engineThat(undefined);
  expect(await kvmOf(engine)).toMatchObject({ available: false, reason: 'closed' });
  expect(await kvmOf(engine)).toMatchObject({ available: true });
  expect(await kvmOf(engine)).toMatchObject({ available: true });
  await engine.close();
});
