/**
 * The product on a host with KVM, in `npm run soak`: what takes longer than `npm test` has. In
 * their order.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BUSYBOX, type Installation, install } from '../e2e/installation.ts';
import { until } from '../e2e/processes.ts';
import { BoxChecks, COUNTING } from './box-checks.ts';
import { type KvmHost, lastingQemu, startKvmHost } from './kvm-host.ts';

const PAUSE_MS = 61_000;
const FORKS = ['one', 'two', 'three'];

let installation: Installation;
let host: KvmHost;
let boxes: BoxChecks;

beforeAll(async () => {
  installation = await install();
  host = await startKvmHost(installation, { keep: true, qemu: await lastingQemu() });
  boxes = new BoxChecks(host);
});
afterAll(async () => {
  await host?.host.kill();
  installation?.remove();
});

describe('longer on a host with KVM', () => {
  let pausedAt = 0;

  it('starts boxes that the following tests use', async () => {
    const run = ['run', '-d', '--network', 'none'];
    await host.ok([...run, '--name', 'cold', BUSYBOX, 'sh', '-c', COUNTING]);
    await host.docker(['pause', 'cold']);
    pausedAt = Date.now();
    await host.ok(['template', 'warm']);
    await host.ok([...run, '--name', 'main', BUSYBOX, 'sh', '-c', COUNTING]);
    expect([await boxes.startOf('cold'), await boxes.startOf('main')]).toEqual([
      'cold',
      'template',
    ]);
  });

  it('takes a memory snapshot on KVM, whose forks have their own identity and the right time', async () => {
    await host.ok(['snapshot', 'create', '--memory', '--name', 'origin', 'main']);
    const counted = await boxes.counted('main');
    const identities = [await boxes.identity('main')];
    for (const fork of FORKS) {
      await host.ok(['run', '-d', '--name', fork, '--from-snapshot', 'origin']);
      await boxes.expectKvmClock(fork);
      identities.push(await boxes.identity(fork));
      await until(`${fork} goes on`, async () => (await boxes.counted(fork)) > counted);
    }
    expect(new Set(identities.flat()).size).toBe(3 * (1 + FORKS.length));
    await host.docker(['rm', '-f', ...FORKS]);
    await host.ok(['snapshot', 'rm', 'origin']);
  });

  it('adopts its boxes after the server was killed', async () => {
    const before = await boxes.vmms();
    await host.program(['pkill', '-KILL', '--full', 'server.cjs']);
    expect(await host.ok(['exec', 'main', 'echo', 'here'])).toBe('here');
    const number = await boxes.counted('main');
    await until('main goes on', async () => (await boxes.counted('main')) > number);
    expect(await boxes.vmms()).toEqual(before);
  });

  it('resumes a box after a pause of more than a minute with the right time', async () => {
    await until('a minute has gone by', () => Date.now() >= pausedAt + PAUSE_MS);
    expect((await host.inspect('cold')).State.Status).toBe('paused');
    await host.docker(['unpause', 'cold']);
    await boxes.expectKvmClock('cold');
    const number = await boxes.counted('cold');
    await until('cold goes on', async () => (await boxes.counted('cold')) > number);
    await host.docker(['rm', '-f', 'cold']);
  });

  it('hot-plugs CPUs and memory into a box from a template', async () => {
    await host.ok(['template', 'warm', '--cpus', '2']);
    const script =
      'nproc; awk "/MemTotal/ { print (\\$2 > 900000) }" /proc/meminfo; dd if=/dev/zero of=/dev/null bs=600M count=1 && echo filled';
    const flags = ['--rm', '--network', 'none', '--cpus', '2', '-m', '1g', '--name', 'large'];
    expect(await host.ok(['run', ...flags, BUSYBOX, 'sh', '-c', script])).toBe('2\n1\nfilled');
  });

  it('enforces the limits of a box, and shares a bind mount both ways', async () => {
    const flags = ['--network', 'none', '-m', '128m', '--pids-limit', '20'];
    await host.host.sh('mkdir /tmp/bound; echo outside > /tmp/bound/in');
    await host.ok([
      ...['run', '-d', '--name', 'held', ...flags, '-v', '/tmp/bound:/bound'],
      ...[BUSYBOX, 'sleep', '100000'],
    ]);
    const script = 'cat /bound/in; echo inside > /bound/out; cat /sys/fs/cgroup/pids.max';
    expect(await boxes.inside('held', script)).toBe('outside\n20');
    expect(await host.host.sh('cat /tmp/bound/out')).toBe('inside');
    const eater = await host.run(['exec', 'held', 'sh', '-c', 'tail /dev/zero; echo $?']);
    expect([eater.stdout.trim(), String(eater.code)]).toContain('137');
    await host.docker(['rm', '-f', 'held']);
  });

  it('restarts a box by policy whose VMM was killed, and reports the end of another', async () => {
    const run = ['run', '-d', '--network', 'none'];
    await host.ok([...run, '--name', 'kept', '--restart', 'always', BUSYBOX, 'sleep', '100000']);
    const { Id } = await host.inspect('main');
    const kept = await host.inspect('kept');
    for (const id of [Id, kept.Id]) {
      await host.program(['pkill', '-KILL', '--full', `^/usr/bin/qemu-system.*guest=${id}`]);
    }
    await until('kept runs again', async () => {
      const { State, RestartCount } = await host.inspect('kept');
      return State.Status === 'running' && RestartCount === 1;
    });
    expect((await host.inspect('main')).State).toMatchObject({ Status: 'exited', ExitCode: 137 });
    await host.docker(['rm', '-f', 'main', 'kept']);
  });

  it('fills a pool with warmed up microVMs, and starts boxes from it', async () => {
    await host.ok(['pool', 'set', '--size', '1', '--network', 'none', '--wait']);
    await host.ok([
      'run',
      '-d',
      '--name',
      'pooled',
      '--network',
      'none',
      BUSYBOX,
      'sleep',
      '100000',
    ]);
    expect(await boxes.startOf('pooled')).toBe('pool');
    await boxes.expectKvmClock('pooled');
    await host.docker(['rm', '-f', 'pooled']);
    await host.ok(['pool', 'rm', 'default']);
  });

  it('leaves no box and no process on the host after all', async () => {
    expect(await host.docker(['ps', '--all', '--quiet'])).toBe('');
    // A microVM that a pool had begun to start ends after the pool.
    await expect
      .poll(() => host.processes('^/usr/bin/qemu-system|passt|virtiofsd'), { timeout: 60_000 })
      .toEqual([]);
  });
});
