import type { Duplex } from 'node:stream';
import { measureRecord, parseLaunchRecord } from '@a3s-box/attestation/measure';
import { describe, expect, it } from 'vitest';
import { A3sError } from '../../errors.ts';
import type { ConfidentialLaunch } from '../vm/confidential-launch.ts';
import type { VmSpec } from '../vm/vm-spec.ts';
import { FakeEngine, FakeHost } from './fake.ts';

const spec: VmSpec = {
  id: 'a'.repeat(64),
  runtimeDir: '/run/a3s-box/test/a',
  identity: { uid: 1, gid: 1 },
  cpus: 1,
  memoryBytes: 1 << 28,
  boot: { kernelPath: '/k', initrdPath: '/i', commandLine: [] },
  disks: [],
  nic: undefined,
  shares: [],
};
const never = new AbortController().signal;
const echo = () => (stream: Duplex) => {
  stream.pipe(stream);
};

async function roundTrip(stream: Duplex, text: string): Promise<string> {
  stream.write(text);
  for await (const chunk of stream) return String(chunk);
  return '';
}

it('connects the control stream of a fake microVM to its agent, one stream at a time', async () => {
  const host = new FakeHost(echo);
  const vm = await new FakeEngine(host).launch(spec, never);
  const first = await vm.connect(never);
  const closed = new Promise((resolve) => first.once('close', resolve));
  const second = await vm.connect(never);
  await closed;
  expect(await roundTrip(second, 'hello')).toBe('hello');
});

it('lets a second engine adopt the microVM of the first, until it ends', async () => {
  const host = new FakeHost(echo);
  await (await new FakeEngine(host).launch(spec, never)).release();
  const adopted = await new FakeEngine(host).adopt(spec.id);
  expect(await roundTrip((await adopted?.connect(never)) as Duplex, 'again')).toBe('again');
  host.vm(spec.id)?.crash();
  expect(await adopted?.exited).toMatchObject({ reason: 'crashed' });
  expect(await new FakeEngine(host).adopt(spec.id)).toBeUndefined();
});

it('fails the launch that failNextLaunch names, and no other', async () => {
  const host = new FakeHost(echo);
  const engine = new FakeEngine(host);
  host.failNextLaunch(new A3sError('port-in-use', 'Cannot publish 80: taken'));
  await expect(engine.launch(spec, never)).rejects.toMatchObject({ code: 'port-in-use' });
  await engine.launch(spec, never);
  expect(host.running).toHaveLength(1);
});

it('powers off a fake microVM from inside', async () => {
  const host = new FakeHost((guest) => (stream) => {
    stream.once('data', () => guest.poweroff());
  });
  const vm = await new FakeEngine(host).launch(spec, never);
  (await vm.connect(never)).write('off');
  expect(await vm.exited).toEqual({ reason: 'poweroff', detail: '' });
});

describe('a confidential fake microVM', () => {
  const confidential: ConfidentialLaunch = {
    tee: 'simulated',
    firmwarePath: '/firmware',
    vcpuType: 'EPYC-Milan-v2',
    policy: 0x30000n,
    hostData: new Uint8Array(32),
    guestStatePath: '/guest.json',
  };

  it('returns a launch record that its inputs give, but none on adoption', async () => {
    const host = new FakeHost(echo);
    const { launched } = await new FakeEngine(host).launch({ ...spec, confidential }, never);
    if (launched === undefined) throw new Error('there is no record');
    expect(measureRecord(parseLaunchRecord(launched)).digest).toBe(launched.digest);
    expect(host.launches[0]?.confidential).toBe(confidential);
    const adopted = await new FakeEngine(host).adopt(spec.id, spec.runtimeDir, confidential);
    expect(adopted?.launched).toBeUndefined();
    expect(host.adoptions).toEqual([{ id: spec.id, confidential }]);
  });

  it('gives a confidential microVM no console, no save and no attached disks', async () => {
    const host = new FakeHost(echo);
    const vm = await new FakeEngine(host).launch({ ...spec, confidential }, never);
    const fake = host.vm(spec.id);
    if (fake !== undefined) fake.console = Buffer.from('secret');
    expect(await vm.console()).toHaveLength(0);
    await expect(vm.attach([])).rejects.toMatchObject({ code: 'unsupported-option' });
    const request = { directory: '/d', overlayPath: '/o' };
    await expect(vm.save(request, never)).rejects.toMatchObject({
      code: 'unsupported-option',
    });
  });

  it('refuses the same confidential launches as the real engine', async () => {
    const shares = [{ tag: 'share-0', path: '/srv', readonly: true }];
    const launch = new FakeEngine(new FakeHost(echo)).launch(
      { ...spec, shares, confidential },
      never,
    );
    await expect(launch).rejects.toMatchObject({ code: 'unsupported-option' });
  });
});
