import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { ACTORS, Actor, ANY_ACTOR } from './actor.ts';
import { BUSYBOX, type Installation, install } from './installation.ts';
import { until } from './processes.ts';
import { scaled } from './time-scale.ts';

vi.setConfig({ testTimeout: scaled(280_000) });

const WAIT = { deadlineMs: 240_000 };

let installation: Installation;
beforeAll(async () => {
  installation = await install();
});
afterAll(() => installation.remove());

/** What no two boxes may share. */
const IDENTITY = `
cat /proc/sys/kernel/random/boot_id
hostname
head -c 16 /dev/urandom | od -An -tx1 | tr -d ' '
cat /proc/sys/kernel/random/uuid
`;

describe.each(ANY_ACTOR)('a pool of %s', (name) => {
  let actor: Actor;
  beforeAll(async () => {
    actor = new Actor(name, installation);
    await actor.prepare();
  }, scaled(240_000));
  afterAll(async () => {
    await actor.leave();
    expect(actor.remains()).toEqual([]);
  });

  async function fill(size: number, network: string): Promise<void> {
    const args = ['pool', 'set', '--size', String(size), '--network', network, '--wait'];
    expect(await actor.ok(args, WAIT)).toBe('default');
  }

  async function startOf(box: string): Promise<string> {
    const [found] = JSON.parse(await actor.ok(['inspect', box])) as [
      { Machine: { Start: string } | null },
    ];
    return found.Machine?.Start ?? 'none';
  }

  const ready = async () => await actor.ok(['pool', 'ls', '--format', '{{.Ready}} {{.State}}']);

  it('gives boxes unique microVMs from the pool with the right time, and refills it', async () => {
    await fill(2, 'none');
    expect(await ready()).toBe('2 full');
    expect(actor.vmms()).toHaveLength(2);
    const said: string[][] = [];
    for (const box of ['first', 'second']) {
      const before = Date.now();
      const command = ['sh', '-c', `${IDENTITY} date +%s`];
      await actor.ok(['run', '--name', box, '--network', 'none', BUSYBOX, ...command]);
      const lines = (await actor.ok(['logs', box])).split('\n');
      said.push(lines.slice(0, 4));
      const time = Number(lines[4]) * 1000;
      expect(time).toBeGreaterThan(before - 2000);
      expect(time).toBeLessThan(Date.now() + 2000);
      expect(await startOf(box)).toBe('pool');
    }
    const [first = [], second = []] = said;
    for (const [index, line] of first.entries()) expect(second[index]).not.toBe(line);
    await fill(2, 'none');
    expect(await ready()).toBe('2 full');
    // Its disk is its own, and it starts again, from a template.
    await actor.ok(['start', '-a', 'first'], WAIT);
    expect(await startOf('first')).toBe('template');
    await actor.ok(['rm', '-f', 'first', 'second']);
  });

  it('leaves nothing of the warm-up in a box from the pool', async () => {
    await fill(1, 'none');
    const script = 'ls -a /; df -P / | tail -1; cat /proc/1/comm; ls /sys/class/net';
    const flags = ['--rm', '--network', 'none'];
    const pooled = await actor.ok(['run', ...flags, BUSYBOX, 'sh', '-c', script]);
    await fill(0, 'none');
    const warm = await actor.ok(['run', ...flags, BUSYBOX, 'sh', '-c', script]);
    const withoutSizes = (text: string): string => text.replaceAll(/\s+\d+/g, ' N');
    expect(withoutSizes(pooled)).toBe(withoutSizes(warm));
    expect(pooled).not.toContain('warm-up');
  });

  it('gives boxes from the pool a working default network', async () => {
    const address = Object.values(networkInterfaces())
      .flat()
      .find((each) => each?.family === 'IPv4' && !each.internal)?.address;
    const server = createServer((_, answer) => answer.end('reached'));
    await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve));
    const { port } = server.address() as AddressInfo;
    try {
      await fill(1, 'default');
      const command = [
        'sh',
        '-c',
        `ip link show eth0 | grep -o 'ether [^ ]*'; wget -qO- http://${address}:${port}/`,
      ];
      await actor.ok(['run', '-d', '--name', 'net', BUSYBOX, 'sleep', '1000']);
      expect(await startOf('net')).toBe('pool');
      const said = await actor.ok(['exec', 'net', ...command], WAIT);
      expect(said).toMatch(/^ether 02:(?!00:00:00:00)[0-9a-f:]+\nreached$/);
    } finally {
      await new Promise((resolve) => server.close(resolve));
      await actor.run(['rm', '-f', 'net']);
    }
  });

  it('drains a pool when its server stops, and the next server refills it', async () => {
    await fill(1, 'none');
    expect(actor.vmms().length).toBeGreaterThan(0);
    await actor.stopServer();
    expect(actor.vmms()).toEqual([]);
    expect(existsSync(join(actor.home, 'pools'))).toBe(false);
    expect(await actor.ok(['pool', 'ls', '-q'])).toBe('default');
    await fill(1, 'none');
    const killed = actor.serverPid();
    if (killed === undefined) throw new Error('there is no server');
    const left = actor.vmms();
    process.kill(killed, 'SIGKILL');
    await until('the server is gone', () => actor.serverPid() === undefined);
    await fill(1, 'none');
    const now = actor.vmms().map(({ pid }) => pid);
    for (const { pid } of left) expect(now).not.toContain(pid);
    expect(now).toHaveLength(1);
    await actor.ok(['pool', 'rm', 'default']);
    expect(actor.vmms()).toEqual([]);
  });
});

describe.each(ACTORS)('the mounts of a box of %s from a pool', (name) => {
  let actor: Actor;
  beforeAll(async () => {
    actor = new Actor(name, installation);
    await actor.prepare();
  }, scaled(240_000));
  afterAll(async () => {
    await actor.leave();
    expect(actor.remains()).toEqual([]);
  });

  it('gives a box its directory and its volumes, also past the end of the server', async () => {
    await actor.ok(['pool', 'set', '--size', '1', '--network', 'none', '--wait'], WAIT);
    const shared = join(actor.directory, 'shared');
    mkdirSync(shared);
    writeFileSync(join(shared, 'said'), 'shared\n');
    actor.own(shared, join(shared, 'said'));
    const disk = ['--opt', 'type=disk', '--opt', 'size=64m'];
    await actor.ok(['volume', 'create', ...disk, 'disk']);
    const volumes = ['-v', 'data:/data', '-v', 'disk:/disk', '--network', 'none', BUSYBOX];
    const copy =
      'cp /shared/said /disk/; cp /disk/said /data/; df -T /disk | tail -1 >/shared/disk; exec sleep 1000';
    const asked = ['-d', '--name', 'box', '-v', `${shared}:/shared`, ...volumes];
    await actor.ok(['run', ...asked, 'sh', '-c', copy], WAIT);
    expect(await actor.ok(['inspect', '-f', '{{.Machine.Start}}', 'box'])).toBe('pool');
    await until('the disk was seen', () => existsSync(join(shared, 'disk')));
    await actor.killServer();
    writeFileSync(join(shared, 'said'), 'changed\n');
    await actor.ok(['exec', 'box', 'cp', '/shared/said', '/data/said'], WAIT);
    expect(readFileSync(join(shared, 'disk'), 'utf8')).toMatch(/^\S+ +ext4 /);
    await actor.ok(['stop', '-t', '0', 'box']);
    await actor.ok(['rm', 'box']);
    const kept = await actor.ok(
      ['run', '--rm', ...volumes, 'cat', '/data/said', '/disk/said'],
      WAIT,
    );
    expect(kept).toBe('changed\nshared');
    await actor.ok(['volume', 'rm', 'data', 'disk']);
    await actor.ok(['pool', 'rm', 'default']);
  });
});
