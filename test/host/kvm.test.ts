/**
 * The product on a host with KVM. One host and a few boxes serve all tests, in their order.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BUSYBOX, type Installation, install } from '../e2e/installation.ts';
import { until } from '../e2e/processes.ts';
import { ADDRESS, type KvmHost, startKvmHost } from './kvm-host.ts';

/** Boot id, host name, randomness: what no two boxes may share. */
const IDENTITY =
  'cat /proc/sys/kernel/random/boot_id; hostname; head -c 16 /dev/urandom | od -An -tx1';
const CLOCK_SOURCE = 'cat /sys/devices/system/clocksource/clocksource0/current_clocksource';
/** Counts in a variable and in shared memory. */
const COUNTING = 'n=0; while :; do n=$((n + 1)); echo $n > /dev/shm/n; sleep 0.2; done';
const PAUSE_MS = 61_000;
const FORKS = ['one', 'two', 'three'];

let installation: Installation;
let host: KvmHost;

beforeAll(async () => {
  installation = await install();
  host = await startKvmHost(installation);
});
afterAll(async () => {
  await host?.host.kill();
  installation?.remove();
});

const inBox = (box: string, script: string): Promise<string> =>
  host.docker(['exec', box, 'sh', '-c', script]);
const startOf = async (box: string): Promise<string | undefined> =>
  (await host.inspect(box)).Machine?.Start;
const vmms = (): Promise<readonly string[]> => host.pids('^/usr/bin/qemu-system');

/** Asserts that a clock that was read between two moments of this machine is right. */
function expectBetween(told: string | undefined, before: number, after: number): void {
  expect(Number(told)).toBeGreaterThanOrEqual(Math.floor(before / 1000) - 2);
  expect(Number(told)).toBeLessThanOrEqual(Math.ceil(after / 1000) + 2);
}

/** Asserts that a box has the right time, and from which clock. */
async function expectKvmClock(box: string): Promise<void> {
  const before = Date.now();
  const [source, time] = (await inBox(box, `${CLOCK_SOURCE}; date +%s`)).split('\n');
  expect(source).toBe('kvm-clock');
  expectBetween(time, before, Date.now());
}

describe('on a host with KVM', () => {
  let pausedAt = 0;

  it('boots the first box with KVM, as this processor, with its clock', async () => {
    await host.ok([
      ...['run', '-d', '--name', 'cold', '--network', 'none', BUSYBOX],
      ...['sh', '-c', COUNTING],
    ]);
    expect(await startOf('cold')).toBe('cold');
    const [vmm] = await vmms();
    const command = await host.host.sh(`tr '\\0' ' ' < /proc/${vmm}/cmdline`);
    expect(command).toMatch(/ -accel kvm,\S+ -cpu host /);
    await expectKvmClock('cold');
    await host.ok(['pause', 'cold']);
    pausedAt = Date.now();
  });

  it('makes a template, and starts the next box from it', async () => {
    await host.ok(['template', 'warm']);
    await host.ok([
      ...['run', '-d', '--name', 'main', '-p', '127.0.0.1:8080:8080', BUSYBOX],
      ...['sh', '-c', `echo served > /tmp/served; httpd -p 8080 -h /tmp; ${COUNTING}`],
    ]);
    expect(await startOf('main')).toBe('template');
    await expectKvmClock('main');
  });

  it('answers on a published port as soon as the box listens', async () => {
    await until('the box listens', async () =>
      (await inBox('main', 'netstat -ltn')).includes(':8080 '),
    );
    const get = 'busybox wget -qO- http://127.0.0.1:8080/served';
    expect(await host.host.sh(get)).toBe('served');
  });

  it('lets a box reach an address of the host', async () => {
    await host.host.sh(
      `mkdir /tmp/bound; echo outside > /tmp/bound/in; busybox httpd -p ${ADDRESS}:9000 -h /tmp/bound`,
    );
    expect(await inBox('main', `wget -qO- http://${ADDRESS}:9000/in`)).toBe('outside');
  });

  it('gives exec its streams and its status, and a terminal', async () => {
    const piped = await host.run(['exec', '-i', 'main', 'sh', '-c', 'cat; echo err >&2; exit 7'], {
      stdin: 'in',
    });
    expect(piped).toEqual({ code: 7, stdout: 'in', stderr: 'err\n' });
    const words = `stty cols 91 rows 33; exec ${host.command(['exec', '-it', 'main', 'sh', '-c', '"tty; stty size"']).join(' ')}`;
    const typed = await host.program(['script', '-qec', words, '/dev/null']);
    expect(typed.stdout.replaceAll('\r', '')).toMatch(/\/dev\/pts\/\d+\n33 91\n/);
  });

  it('takes a memory snapshot, whose forks go on as themselves with the right time', async () => {
    await host.ok(['snapshot', 'create', '--memory', '--name', 'origin', 'main']);
    const counted = Number(await inBox('main', 'cat /dev/shm/n'));
    const identities = [await inBox('main', IDENTITY)];
    for (const fork of FORKS) {
      await host.ok([
        'run',
        '-d',
        '--name',
        fork,
        '--network',
        'none',
        '--from-snapshot',
        'origin',
      ]);
      const before = Date.now();
      const script = `cat /dev/shm/n; ${CLOCK_SOURCE}; date +%s; ${IDENTITY}`;
      const [number, source, time, ...identity] = (await inBox(fork, script)).split('\n');
      expect(Number(number)).toBeGreaterThan(0);
      expect(source).toBe('kvm-clock');
      expectBetween(time, before, Date.now());
      identities.push(identity.join('\n'));
      await until(
        `${fork} goes on`,
        async () => Number(await inBox(fork, 'cat /dev/shm/n')) > counted,
      );
    }
    const values = identities.flatMap((identity) => identity.split('\n'));
    expect(new Set(values).size).toBe(3 * (1 + FORKS.length));
    await host.ok(['rm', '-f', ...FORKS]);
    await host.ok(['snapshot', 'rm', 'origin']);
  });

  it('adopts its boxes after the server was killed', async () => {
    const before = await vmms();
    await host.program(['pkill', '-KILL', '--full', 'server.cjs']);
    expect(await host.ok(['exec', 'main', 'echo', 'here'])).toBe('here');
    const number = Number(await inBox('main', 'cat /dev/shm/n'));
    await until('main goes on', async () => Number(await inBox('main', 'cat /dev/shm/n')) > number);
    expect(await vmms()).toEqual(before);
  });

  it('goes on after a pause of more than a minute, with the right time', async () => {
    await until('a minute has gone by', () => Date.now() >= pausedAt + PAUSE_MS);
    expect((await host.inspect('cold')).State.Status).toBe('paused');
    await host.ok(['unpause', 'cold']);
    await expectKvmClock('cold');
    const number = Number(await inBox('cold', 'cat /dev/shm/n'));
    await until('cold goes on', async () => Number(await inBox('cold', 'cat /dev/shm/n')) > number);
    await host.ok(['rm', '-f', 'cold']);
  });

  it('plugs processors and memory into a box from a template', async () => {
    await host.ok(['template', 'warm', '--cpus', '2']);
    const script =
      'nproc; awk "/MemTotal/ { print (\\$2 > 1000000) }" /proc/meminfo; dd if=/dev/zero of=/dev/shm/fill bs=1M count=600 2>/dev/null && echo filled';
    const flags = ['--rm', '--network', 'none', '--cpus', '2', '-m', '1g', '--name', 'large'];
    expect(await host.ok(['run', ...flags, BUSYBOX, 'sh', '-c', script])).toBe('2\n1\nfilled');
  });

  it('holds a box to its limits, and shares a bind mount with it both ways', async () => {
    const flags = ['--network', 'none', '-m', '128m', '--pids-limit', '20'];
    await host.ok([
      ...['run', '-d', '--name', 'held', ...flags, '-v', '/tmp/bound:/bound'],
      ...[BUSYBOX, 'sleep', '100000'],
    ]);
    const script = 'cat /bound/in; echo inside > /bound/out; cat /sys/fs/cgroup/pids.max';
    expect(await inBox('held', script)).toBe('outside\n20');
    expect(await host.host.sh('cat /tmp/bound/out')).toBe('inside');
    const eater = await host.run(['exec', 'held', 'sh', '-c', 'tail /dev/zero; echo $?']);
    expect([eater.stdout.trim(), String(eater.code)]).toContain('137');
    await host.ok(['rm', '-f', 'held']);
  });

  it('restarts by policy a box whose VMM was killed, and tells the end of another', async () => {
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
    await host.ok(['rm', '-f', 'main', 'kept']);
  });

  it('fills a pool, whose machines are warmed up, and starts boxes from it', async () => {
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
    expect(await startOf('pooled')).toBe('pool');
    await expectKvmClock('pooled');
    await host.ok(['rm', '-f', 'pooled']);
    await host.ok(['pool', 'rm', 'default']);
  });

  it('leaves nothing behind', async () => {
    expect(await host.ok(['ps', '--all', '--quiet'])).toBe('');
    expect(await host.pids('^/usr/bin/qemu-system|passt|virtiofsd')).toEqual([]);
  });
});
