import { closeSync, fstatSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { A3sError } from '../../errors.ts';
import type { Endpoint } from '../host/endpoint.ts';
import { FakeHostNetworks } from '../testing/fake-host-networks.ts';
import { endHolderProcess, holderProcess, startHolderProcess } from './holder-process.ts';
import { failureOf, Message } from './messages.ts';
import { answerTo, logTo } from './serve-networks.ts';

const box = '1'.repeat(64);
const network = {
  ...{ id: 'ab'.repeat(32), subnet: '10.89.1.0/24', gateway: '10.89.1.1' },
  ...{ internal: false, mtu: 65_520 },
};
const endpoint: Endpoint = {
  ...{ box, names: ['web'], network, address: '10.89.1.2', mac: '02:00:0a:59:01:02', ports: [] },
};

function channel() {
  const sent: Message[] = [];
  const networks = new FakeHostNetworks();
  // As they come over a channel.
  const tell = (message: Message) =>
    void sent.push(Message.parse(JSON.parse(JSON.stringify(message))));
  return { sent, tell, networks, answer: answerTo(tell, networks, '/nowhere') };
}

function descriptorOf(message: Message | undefined): number {
  return message !== undefined && 'value' in message ? Number(message.value) : -1;
}

it('answers with the descriptor of a box’s tap device, and closes it when it is asked to', async () => {
  const { sent, networks, answer } = channel();
  await answer({ number: 1, request: { ask: 'attach', endpoint } });
  const descriptor = descriptorOf(sent[0]);
  expect(fstatSync(descriptor).isCharacterDevice()).toBe(true);
  expect(networks.attached.get(box)?.address).toBe('10.89.1.2');
  await answer({ number: 2, request: { ask: 'close', descriptor } });
  expect(() => fstatSync(descriptor)).toThrow('EBADF');
  await answer({ number: 3, request: { ask: 'detach', box } });
  expect(sent.slice(1)).toEqual([{ number: 2 }, { number: 3 }]);
  expect(networks.attached.size).toBe(0);
});

it('gives limited boxes a program of the one user that there is', async () => {
  const { sent, networks, answer } = channel();
  const egress = {
    ...{ uid: 129_857, resolvers: ['10.89.1.1'], upstreams: ['10.89.1.1'], namesBoxes: true },
    ...{ policies: [{ of: 'box' as const, default: 'deny' as const, rules: [] }], ownSubnets: [] },
  };
  await answer({ number: 1, request: { ask: 'attach', endpoint: { ...endpoint, egress } } });
  expect(networks.attached.get(box)?.egress).toEqual({ ...egress, uid: 0 });
  closeSync(descriptorOf(sent[0]));
});

it('tells failures with their codes and remedies, and what else goes wrong as internal', async () => {
  const { sent, networks, answer } = channel();
  networks.failure = new A3sError('port-in-use', 'port 80 is taken', { remedy: 'Take another.' });
  await answer({ number: 7, request: { ask: 'attach', endpoint } });
  await answer({ number: 8, request: { ask: 'publish', endpoint } });
  const failures = sent.map((message) => 'failure' in message && failureOf(message.failure));
  expect(failures).toMatchObject([
    { code: 'port-in-use', message: 'port 80 is taken', remedy: 'Take another.' },
    { code: 'internal', message: `${box} is not in ${network.id}` },
  ]);
  expect(failureOf({ code: 'of-a-later-version', message: 'no' }).code).toBe('internal');
});

it('leaves failures that keep nobody from going on to the server’s log', () => {
  const { sent, tell } = channel();
  logTo(tell).error('networks are not in order', new Error('nft: no'), { what: 'names' });
  expect(sent).toEqual([
    {
      ...{ log: 'networks are not in order', fields: { what: 'names' } },
      failure: { code: 'internal', message: 'nft: no' },
    },
  ]);
});

it('knows the process that holds namespaces by what it has open, and no other by its number', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'a3s-held-'));
  try {
    expect(holderProcess(directory)).toBeUndefined();
    const pid = await startHolderProcess(directory, 'here');
    expect(holderProcess(directory)).toBe(pid);
    await endHolderProcess(directory);
    const isThere = (): string => {
      try {
        return String(process.kill(pid, 0));
      } catch (error) {
        return (error as NodeJS.ErrnoException).code ?? '';
      }
    };
    await expect.poll(isThere).toBe('ESRCH');
    writeFileSync(join(directory, 'holder.pid'), String(process.pid));
    // Else this process were gone.
    await endHolderProcess(directory);
    await expect(startHolderProcess(join(directory, 'missing'), 'here')).rejects.toMatchObject({
      code: 'network-failed',
      message: expect.stringContaining('mkfifo'),
    });
  } finally {
    rmSync(directory, { recursive: true });
  }
});
