// A host that attaches devices which no box has, at the boot and into a slot later.
import { connect } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { launchSpecText } from '@a3s-box/policies';
import { afterAll, afterEach, beforeAll, expect, vi } from 'vitest';
import type { Guest } from '../../../src/guest/guest.ts';
import type { GuestNetworks } from '../../../src/guest/networks.ts';
import { itInSoak } from '../it-where.ts';
import { deadline, type HostedLayer, HostileHost, ran, specOf } from './host.ts';

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

const [FIRST, SECOND, FOREIGN] = ['02:00:00:00:00:01', '02:00:00:00:00:02', '02:00:00:00:00:03'];
const PLUGGED = '02:00:00:00:00:05';

let host: HostileHost;
let layer: HostedLayer;
let admitted: string;

beforeAll(async () => {
  host = await HostileHost.open();
  layer = await host.layer('plugged');
  admitted = launchSpecText({
    ...specOf([layer], 'exec sleep 1000'),
    ...{ network: 'nic', hostNetworks: 2 },
  });
});
afterEach(async () => {
  extra.arguments = [];
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

/** Devices that a host has besides, of which one is put into a slot while the guest runs. */
const plugging = (socket: string): readonly string[] => [
  ...['-qmp', `unix:${socket},server=on,wait=off`],
  ...['-device', 'pcie-root-port,id=rp0,bus=pcie.0,addr=0x1d,chassis=1,slot=1'],
  ...['-netdev', 'hubport,id=more,hubid=20', '-netdev', 'hubport,id=other,hubid=21'],
  // There from the boot on, and in no launch spec.
  ...['-device', `virtio-net-pci,bus=pcie.0,addr=0x1b,netdev=other,mac=${FOREIGN},romfile=`],
  ...['-device', 'e1000e,bus=pcie.0,addr=0x1c,mac=02:00:00:00:00:04,romfile='],
];

async function plug(socket: string): Promise<void> {
  const monitor = connect({ path: socket, signal: deadline() });
  const answers = createInterface({ input: monitor })[Symbol.asyncIterator]();
  const ask = async (execute: string, more: object = {}): Promise<void> => {
    monitor.write(`${JSON.stringify({ execute, arguments: more })}\n`);
    for (;;) {
      const message = JSON.parse(String((await answers.next()).value));
      if (message.error !== undefined) throw new Error(JSON.stringify(message.error));
      if (message.return !== undefined) return;
    }
  };
  await ask('qmp_capabilities');
  const device = { driver: 'virtio-net-pci', bus: 'rp0', addr: '0x0', id: 'plugged' };
  await ask('device_add', { ...device, netdev: 'more', mac: PLUGGED, romfile: '' });
  monitor.destroy();
}

const DEVICES = 'ls /sys/bus/pci/devices | grep -c .';

itInSoak(
  'takes no device that its host plugs into it, and no card besides those of the launch spec',
  async () => {
    const socket = join(host.nextRuntimeDir(), 'plug.sock');
    extra.arguments = plugging(socket);
    const { guest } = await host.start({
      ...{ disks: [layer.path], admitted, macs: [FIRST, SECOND] },
      commandLine: host.boot.commandLines.simulated,
    });
    await guest.putNetworks(networks(card(0, FIRST)));
    const before = Number(await inside(guest, DEVICES));
    // QEMU has it from now on, and says nothing of a guest that does not look.
    await plug(socket);
    // A host that asks for a card waits for it. No card of another driver is one.
    for (const mac of [PLUGGED, '02:00:00:00:00:04']) {
      await expect(guest.putNetworks(networks(card(0, FIRST), card(1, mac)))).rejects.toThrow(mac);
    }
    expect(Number(await inside(guest, DEVICES))).toBe(before);
    expect(await inside(guest, 'ls /sys/class/net')).toBe('eth0\nlo');
    // A card that was there at the boot takes the place of another one, and no more than that.
    await guest.putNetworks(networks(card(0, FIRST), card(1, FOREIGN)));
    await expect(
      guest.putNetworks(networks(card(0, FIRST), card(1, FOREIGN), card(2, SECOND))),
    ).rejects.toMatchObject({ code: 'host-not-permitted' });
  },
);
