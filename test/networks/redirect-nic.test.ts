import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import * as z from 'zod';
import { NETDEV, translator } from '../../src/engine/qemu/command-line/devices.ts';
import { HUB } from '../../src/engine/qemu/command-line/template-devices.ts';
import { redirectNic, replaceTranslator } from '../../src/engine/qemu/monitor/attach-nic.ts';
import { executeAll } from '../../src/engine/qemu/monitor/execute-all.ts';
import { QmpClient } from '../../src/engine/qemu/monitor/qmp.ts';
import { makeNamespace, removeNamespace } from '../../src/networks/host/namespace.ts';
import { openTap } from '../../src/networks/host/tap.ts';
import { canRun } from './egress/world.ts';

it.runIf(await canRun())(
  'leads a card of QEMU from its translator to another one and to a tap device, and nowhere else',
  async () => {
    const directory = mkdtempSync(join(tmpdir(), 'a3s-redirect-'));
    const namespace = join(directory, 'net');
    const [passt, later] = [join(directory, 'passt.sock'), join(directory, 'ports.sock')];
    const socket = join(directory, 'qmp.sock');
    const [server, another] = [createServer().listen(passt), createServer().listen(later)];
    const qemu = spawn(
      'qemu-system-x86_64',
      [
        ...['-M', 'q35', '-S', '-m', '16', '-nodefaults', '-display', 'none'],
        ...['-netdev', `hubport,id=${NETDEV},hubid=${HUB}`],
        ...['-device', `virtio-net-pci,netdev=${NETDEV},id=nic0,romfile=`],
        ...['-qmp', `unix:${socket},server=on,wait=off`],
      ],
      { stdio: 'inherit' },
    );
    const ended = once(qemu, 'close');
    await makeNamespace(namespace);
    const tap = await openTap(namespace);
    try {
      const qmp = await QmpClient.connect(socket, () => undefined, AbortSignal.timeout(60_000));
      const accepted = connectionTo(server);
      await executeAll(qmp, [
        translator('network', passt),
        ['netdev_add', { type: 'hubport', id: 'uplink', hubid: HUB, netdev: 'network' }],
      ]);
      const left = once((await accepted).resume(), 'end');
      const replacing = connectionTo(another);
      await replaceTranslator(qmp, later);
      await left;
      expect(await backends(qmp)).toEqual([
        expect.stringContaining('network: index=0,type=stream'),
      ]);
      const leftToo = once((await replacing).resume(), 'end');
      await redirectNic(qmp, tap);
      await leftToo;
      expect(await backends(qmp)).toEqual([expect.stringContaining('network: index=0,type=tap')]);
      // One that has no translator is not led elsewhere in silence.
      await qmp.execute('netdev_del', { id: 'uplink' }, z.unknown());
      await expect(redirectNic(qmp, tap)).rejects.toMatchObject({ code: 'vmm-failed' });
      qmp.close();
    } finally {
      closeSync(tap);
      qemu.kill();
      await ended;
      server.close();
      another.close();
      await removeNamespace(namespace);
      rmSync(directory, { recursive: true });
    }
  },
);

async function connectionTo(server: Server): Promise<Socket> {
  const [connection] = (await once(server, 'connection')) as [Socket];
  return connection;
}

/** What takes the frames of the hub that the card is on. */
async function backends(qmp: QmpClient): Promise<string[]> {
  const command = { 'command-line': 'info network' };
  const shown = await qmp.execute('human-monitor-command', command, z.string());
  expect(shown).toContain('hub 0');
  const lines = shown.split('\n').map((line) => line.trim().replaceAll('\r', ''));
  return lines.filter((line) => /type=(tap|stream)/.test(line));
}
