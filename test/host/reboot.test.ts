/**
 * Boxes over a host's end and its next boot, with systemd as process 1, in `npm run soak`. In their
 * order.
 */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BUSYBOX, type Installation, install } from '../e2e/installation.ts';
import { until } from '../e2e/processes.ts';
import { type ServiceUser, SystemdHost } from './systemd-host.ts';

/** Ends with a status of its own when it is asked to end, and only then; idle until then. */
const ASKED = 'trap "exit 7" TERM; sleep 1000000 & wait';
const RUN = ['run', '-d', '--network', 'none'];
const USERS: readonly ServiceUser[] = ['root', 'ordinary user'];

let installation: Installation;
let host: SystemdHost;

beforeAll(async () => {
  installation = await install();
  host = await SystemdHost.create(installation);
  await host.install();
});
afterAll(async () => {
  await host?.[Symbol.asyncDispose]();
  installation?.remove();
});

/** The names, states and exit statuses of all boxes. */
async function states(user: ServiceUser): Promise<readonly string[]> {
  const format = '{{.Names}}';
  const names = (await host.ok(user, ['ps', '--all', '--format', format])).split('\n').sort();
  const state = '{{.Name}} {{.State.Status}} {{.State.ExitCode}}';
  return (await host.ok(user, ['inspect', '--format', state, ...names]))
    .split('\n')
    .map((line) => line.replace(/^\//, ''));
}

async function startedAt(user: ServiceUser, box: string): Promise<string> {
  return await host.ok(user, ['inspect', '--format', '{{.State.StartedAt}}', box]);
}

/** How many microVMs of boxes run there, whoever has them. */
async function vmms(): Promise<number> {
  const { stdout } = await host.run('root', ['pgrep', '-a', '-f', '^/usr/bin/qemu-system']);
  return stdout.split('\n').filter((line) => line !== '' && !line.includes('-uuid 00000000-'))
    .length;
}

async function ordinaryBoxIsBack(): Promise<void> {
  // No command of the user's starts the service: nobody has logged in.
  await until('the microVM of the ordinary user is back', async () => (await vmms()) === 3);
  await until(
    'the box of the ordinary user runs',
    async () => (await states('ordinary user')).join() === 'main running 0',
  );
}

describe('a host that systemd runs', { timeout: 2_400_000 }, () => {
  it('runs boxes of root and of a user with lingering', async () => {
    const image = readFileSync(installation.archives.busybox);
    for (const user of USERS) {
      await host.ok(user, ['load', '--quiet'], image);
      await host.ok(user, [
        ...RUN,
        '--name',
        'main',
        '--restart',
        'always',
        BUSYBOX,
        'sh',
        '-c',
        ASKED,
      ]);
    }
    await host.ok('root', [...RUN, '--name', 'once', BUSYBOX, 'sh', '-c', ASKED]);
    await host.ok('root', [
      ...[...RUN, '--name', 'failing', '--restart', 'on-failure', BUSYBOX],
      ...['sh', '-c', ASKED],
    ]);
    const unlessStopped = ['--restart', 'unless-stopped', BUSYBOX, 'sh', '-c', ASKED];
    await host.ok('root', [...RUN, '--name', 'stopped', ...unlessStopped]);
    await host.ok('root', ['stop', 'stopped']);
    await host.ok('root', ['snapshot', 'create', '--memory', '--name', 'origin', 'main']);
    expect(await states('root')).toEqual([
      ...['failing running 0', 'main running 0', 'once running 0', 'stopped exited 7'],
    ]);
    expect(await vmms()).toBe(4);
  });

  it('asks all boxes to end when it shuts down, and starts them by their policies', async () => {
    const before = [await startedAt('root', 'main'), await startedAt('ordinary user', 'main')];
    await host.reboot();
    await until('the boxes of root are back', async () =>
      (await states('root')).join().startsWith('failing running 0,main running 0'),
    );
    // 7 says that it was asked to end, and had the time.
    expect(await states('root')).toEqual([
      ...['failing running 0', 'main running 0', 'once exited 7', 'stopped exited 7'],
    ]);
    await ordinaryBoxIsBack();
    expect(before).not.toContain(await startedAt('root', 'main'));
    expect(before).not.toContain(await startedAt('ordinary user', 'main'));
    // It was created first.
    expect(Date.parse(await startedAt('root', 'main'))).toBeLessThan(
      Date.parse(await startedAt('root', 'failing')),
    );
  });

  it('refuses a fork after a reboot, which took the memory of its snapshot', async () => {
    const listed = await host.ok('root', ['snapshot', 'ls', '--format', '{{json .}}']);
    expect(JSON.parse(listed)).toMatchObject({ Name: 'origin' });
    const fork = ['a3s-box', 'run', '-d', '--from-snapshot', 'origin'];
    const { code, stderr } = await host.run('root', fork);
    expect(code).toBe(125);
    expect(stderr).toMatch(/memory/);
  });

  it('starts boxes by their policies after a power cut', async () => {
    await host.ok('root', ['start', 'once']);
    await host.cutPower();
    await until('the boxes of root are back', async () =>
      (await states('root')).join().startsWith('failing running 0,main running 0'),
    );
    expect(await states('root')).toEqual([
      ...['failing running 0', 'main running 0', 'once exited 137', 'stopped exited 7'],
    ]);
    await ordinaryBoxIsBack();
  });

  it('leaves nothing of boxes that are removed', async () => {
    for (const user of USERS) {
      const boxes = (await host.ok(user, ['ps', '--all', '--quiet'])).split('\n');
      await host.ok(user, ['rm', '--force', ...boxes]);
    }
    await host.ok('root', ['snapshot', 'rm', 'origin']);
    await until('no microVM is left', async () => (await vmms()) === 0);
    expect(await host.host.sh('ls /dev/shm')).toBe('');
    expect(await host.host.sh('grep -c a3s-box /proc/mounts || true')).toBe('1');
    expect(await host.host.sh('ls /var/lib/a3s-box/boxes')).toBe('');
  });
});
