// Guests that run, and run well, from other files than the relying party knows: it finds out. And
// one whose clock is a year behind: nobody's verdict depends on it. What the firmware refuses to
// start: firmware.test.ts; files that are swapped between measuring and spawning:
// confidential-engine.test.ts.
import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { cpio } from '../../../src/boot/make/cpio.ts';
import { SOAK } from '../soak.ts';
import { type HostedLaunch, type HostedLayer, HostileHost, linesOf, textOf } from './host.ts';

const { extra } = vi.hoisted(() => ({ extra: { arguments: [] as readonly string[] } }));

// The VMM is the host's: here it gets arguments that the runtime never gives it.
vi.mock(
  import('../../../src/engine/qemu/confidential/confidential-arguments.ts'),
  async (original) => {
    const real = await original();
    return {
      ...real,
      confidentialArguments: (...args) => [
        ...real.confidentialArguments(...args),
        ...extra.arguments,
      ],
    };
  },
);

let host: HostileHost;
let layer: HostedLayer;
let admitted: string;

beforeAll(async () => {
  host = await HostileHost.open();
  layer = await host.layer('layer');
  admitted = textOf([layer], 'date -u +%Y; exec sleep 1000');
});
afterEach(async () => {
  extra.arguments = [];
  await host?.endVms();
});
afterAll(() => host?.leave());

const launched = (changes: Partial<HostedLaunch> = {}): HostedLaunch => ({
  ...{ disks: [layer.path], admitted },
  ...changes,
});

it('a measured box is accepted whatever time the host sets in its clock', async () => {
  const year = new Date().getUTCFullYear() - 1;
  extra.arguments = ['-rtc', `base=${year}-06-01T00:00:00`];
  const hosted = await host.start(launched());
  expect(await linesOf(hosted.guest, 'main', 1)).toEqual([String(year)]);
  const session = await host.rely(hosted, admitted);
  expect(session.peer.simulated).toBe(true);
  expect(session.peer.checks.filter(({ verdict }) => verdict === 'failed')).toEqual([]);
  session.close();
});

/** Each leaves a guest that works. */
const TAMPERED: Readonly<Record<string, () => Promise<Partial<HostedLaunch>>>> = {
  firmware: async () => {
    const bytes = readFileSync(host.boot.firmwarePath);
    // In the middle of what is left free.
    const at = bytes.indexOf(Buffer.alloc(4096, 0xff)) + 2048;
    bytes[at] = 0xfe;
    return { boot: { firmwarePath: await host.file('firmware', bytes) } };
  },
  kernel: async () => {
    const bytes = readFileSync(host.boot.kernelPath);
    // Its version, in words that nothing but `file` reads: boot protocol 2.00, kernel_version.
    const at = bytes.readUInt16LE(0x20e) + 0x200;
    expect(bytes.toString('latin1', at, at + 2)).toBe('6.');
    bytes[at] = '7'.charCodeAt(0);
    return { boot: { kernelPath: await host.file('kernel', bytes) } };
  },
  initrd: async () => {
    const backdoor = { kind: 'file', path: 'backdoor', mode: 0o755, data: Buffer.of(1) } as const;
    const bytes = Buffer.concat([readFileSync(host.boot.initrdPath), cpio([backdoor])]);
    return { boot: { initrdPath: await host.file('initrd', bytes) } };
  },
  'command line': async () => ({
    commandLine: [...host.boot.commandLines.simulated, 'loglevel=7'],
  }),
};

/** Kernel and command line are in the table of hashes that has the initrd. */
const TRIED = Object.entries(TAMPERED).filter(
  ([input]) => SOAK || input === 'firmware' || input === 'initrd',
);

describe.each(TRIED)('another %s', (_, tampered) => {
  it('a box with another measured input runs, and is refused by relying parties', async () => {
    const hosted = await host.start(launched(await tampered()));
    await expect(host.rely(hosted, admitted)).rejects.toMatchObject({
      code: 'appraisal',
      appraisal: {
        accepted: false,
        checks: expect.arrayContaining([
          expect.objectContaining({ code: 'measurement', verdict: 'failed' }),
        ]),
      },
    });
  });
});

it('a guest whose command line names its processor twice refuses to start', async () => {
  const { simulated } = host.boot.commandLines;
  const twice = launched({ commandLine: [...simulated, 'a3s.tee=simulated'] });
  await expect(host.launch(twice)).rejects.toMatchObject({ code: 'tee-unavailable' });
});
