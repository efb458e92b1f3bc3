// A host that gives a guest networks, cards and devices which its launch spec does not leave to it.
// Every document that it may say: native/agent/launchspec.
import { launchSpecText } from '@a3s-box/policies';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import type { Guest } from '../../../src/guest/guest.ts';
import type { GuestNetworks } from '../../../src/guest/networks.ts';
import { type HostedLayer, HostileHost, ran, specOf } from './host.ts';

const [FIRST, SECOND, FOREIGN] = ['02:00:00:00:00:01', '02:00:00:00:00:02', '02:00:00:00:00:03'];

let host: HostileHost;
let layer: HostedLayer;
let admitted: string;

beforeAll(async () => {
  host = await HostileHost.open();
  layer = await host.layer('networked');
  admitted = launchSpecText({
    ...specOf([layer], 'exec sleep 1000'),
    ...{ network: 'nic', hostNetworks: 2, hostNames: ['db'] },
    hosts: [{ name: 'vault', address: '10.1.0.2' }],
  });
});
afterEach(async () => {
  await host?.endVms();
});
afterAll(() => host?.leave());

const card = (at: number, mac: string): GuestNetworks['cards'][number] => ({
  ...{ device: `eth${at}`, mac, mtu: 1500, address: `10.1.${at}.2`, prefixLength: 24 },
});
const networks = (...cards: GuestNetworks['cards']): GuestNetworks => ({
  ...{ cards, nameservers: [], search: [] },
});

let asked = 0;
async function inside(guest: Guest, script: string): Promise<string> {
  asked += 1;
  return (await ran(guest, `ask${asked}`, ['sh', '-c', script])).text.trim();
}

/** What the workload has of networks. */
const seen = (guest: Guest): Promise<string> =>
  inside(guest, 'ls /sys/class/net; ip -o addr; ip route; cat /etc/hosts /etc/resolv.conf');

it('holds a host to the cards and names of the launch spec, and to networks that can be', async () => {
  const { guest } = await host.start({ disks: [layer.path], admitted, macs: [FIRST, SECOND] });
  await guest.putNetworks({
    ...networks(card(0, FIRST), card(1, SECOND)),
    ...{ nameservers: ['10.1.0.1'], hosts: [{ name: 'db', address: '10.1.1.9' }] },
  });
  const before = await seen(guest);
  expect(before).toMatch(/10\.1\.0\.2\/24.*10\.1\.1\.2\/24/s);
  expect(before).toMatch(/10\.1\.0\.2\tvault\n.*10\.1\.1\.9\tdb\n/s);
  const two = networks(card(0, FIRST), card(1, SECOND));
  const hostile: readonly Partial<GuestNetworks>[] = [
    { cards: [...two.cards, card(2, FOREIGN)] },
    { cards: [card(0, FIRST), card(1, FIRST)] },
    { cards: [{ ...card(0, FIRST), address: '127.0.0.1' }] },
    { cards: [{ ...card(0, FIRST), address: '169.254.169.254' }] },
    { cards: [{ ...card(0, FIRST), prefixLength: 1 }] },
    { cards: [card(0, FIRST), { ...card(1, SECOND), address: '10.1.0.3' }] },
    { gateway: { device: 'eth0', address: '10.9.9.9' } },
    { nameservers: ['127.0.0.11'] },
    { search: ['evil.example'] },
    { options: ['use-vc'] },
    ...['vault', 'localhost', 'box', 'web'].map((name) => ({
      hosts: [{ name, address: '10.1.1.9' }],
    })),
    { hosts: [{ name: 'db', address: '127.0.0.1' }] },
    { hosts: [{ name: 'db', address: '8.8.8.8' }] },
    // A card that does not come.
    { cards: [card(0, FIRST), card(2, FOREIGN)] },
  ];
  for (const document of hostile) {
    await expect(
      guest.putNetworks({ ...two, ...document }),
      JSON.stringify(document),
    ).rejects.toMatchObject({
      code: expect.stringMatching(/^(host-not-permitted|agent-failed|invalid-argument)$/),
    });
  }
  await guest.putNetworks({
    ...two,
    ...{ nameservers: ['10.1.0.1'], hosts: [{ name: 'db', address: '10.1.1.9' }] },
  });
  expect(await seen(guest)).toBe(before);
  // Cards come and go, and are none of the workload's meanwhile. The name that the launch spec has
  // for an address stays, though the box has had that address.
  for (const _ of ['once', 'again', 'and again']) {
    await guest.putNetworks(networks(card(1, SECOND)));
    expect(await inside(guest, 'ls /sys/class/net')).toBe('eth1\nlo');
    await guest.putNetworks(networks());
    const none = await seen(guest);
    expect(none).not.toMatch(/eth|\b10\.1\.(0\.2\/|1\.)/);
    expect(none).toContain('10.1.0.2\tvault\n');
    await guest.putNetworks(networks(card(0, FIRST), card(1, SECOND)));
    expect(await inside(guest, 'ls /sys/class/net')).toBe('eth0\neth1\nlo');
  }
});
