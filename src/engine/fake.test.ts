import type { Duplex } from 'node:stream';
import { expect, it } from 'vitest';
import { A3sError } from '../errors.ts';
import type { MachineSpec } from './engine.ts';
import { FakeEngine, FakeHost } from './fake.ts';

const spec: MachineSpec = {
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

it('serves the agent on the control stream, one at a time', async () => {
  const host = new FakeHost(echo);
  const machine = await new FakeEngine(host).launch(spec, never);
  const first = await machine.connect(never);
  const closed = new Promise((resolve) => first.once('close', resolve));
  const second = await machine.connect(never);
  await closed;
  expect(await roundTrip(second, 'hello')).toBe('hello');
});

it('lets a second engine adopt the machine of the first, until it ends', async () => {
  const host = new FakeHost(echo);
  await (await new FakeEngine(host).launch(spec, never)).release();
  const adopted = await new FakeEngine(host).adopt(spec.id);
  expect(await roundTrip((await adopted?.connect(never)) as Duplex, 'again')).toBe('again');
  host.machine(spec.id)?.crash();
  expect(await adopted?.exited).toMatchObject({ reason: 'crashed' });
  expect(await new FakeEngine(host).adopt(spec.id)).toBeUndefined();
});

it('fails the launch it was told to fail, and no other', async () => {
  const host = new FakeHost(echo);
  const engine = new FakeEngine(host);
  host.failNextLaunch(new A3sError('port-in-use', 'Cannot publish 80: taken'));
  await expect(engine.launch(spec, never)).rejects.toMatchObject({ code: 'port-in-use' });
  await engine.launch(spec, never);
  expect(host.running).toHaveLength(1);
});

it('powers off from inside', async () => {
  const host = new FakeHost((guest) => (stream) => {
    stream.once('data', () => guest.poweroff());
  });
  const machine = await new FakeEngine(host).launch(spec, never);
  (await machine.connect(never)).write('off');
  expect(await machine.exited).toEqual({ reason: 'poweroff', detail: '' });
});
