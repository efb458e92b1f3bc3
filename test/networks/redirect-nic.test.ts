import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import * as z from 'zod';
import { NETDEV, translator } from '../../src/engine/qemu/command-line/devices.ts';
import { HUB } from '../../src/engine/qemu/command-line/template-devices.ts';
import { redirectNic } from '../../src/engine/qemu/monitor/attach-nic.ts';
import { executeAll } from '../../src/engine/qemu/monitor/execute-all.ts';
import { QmpClient } from '../../src/engine/qemu/monitor/qmp.ts';
import { makeNamespace, removeNamespace } from '../../src/networks/host/namespace.ts';
import { openTap } from '../../src/networks/host/tap.ts';
import { canRun } from './egress/world.ts';

it.runIf(await canRun())(
  'leads a card of QEMU from its translator to a tap device, and nowhere else',
  async () => {
    const directory = mkdtempSync(join(tmpdir(), 'a3s-redirect-'));
    const namespace = join(directory, 'net');
    const [passt, socket] = [join(directory, 'passt.sock'), join(directory, 'qmp.sock')];
    const server = createServer().listen(passt);
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
      const accepted = once(server, 'connection') as Promise<[Socket]>;
      await executeAll(qmp, [
        translator('network', passt),
        ['netdev_add', { type: 'hubport', id: 'uplink', hubid: HUB, netdev: 'network' }],
      ]);
      const [connection] = await accepted;
      const left = once(connection.resume(), 'end');
      await redirectNic(qmp, tap);
      await left;
      const command = { 'command-line': 'info network' };
      const shown = await qmp.execute('human-monitor-command', command, z.string());
      const backends = shown.split('\n').map((line) => line.trim().replaceAll('\r', ''));
      expect(backends.filter((line) => /type=(tap|stream)/.test(line))).toEqual([
        expect.stringContaining('network: index=0,type=tap'),
      ]);
      expect(shown).toContain('hub 0');
      // One that has no translator is not led elsewhere in silence.
      await qmp.execute('netdev_del', { id: 'uplink' }, z.unknown());
      await expect(redirectNic(qmp, tap)).rejects.toMatchObject({ code: 'vmm-failed' });
      qmp.close();
    } finally {
      closeSync(tap);
      qemu.kill();
      await ended;
      server.close();
      await removeNamespace(namespace);
      rmSync(directory, { recursive: true });
    }
  },
);
