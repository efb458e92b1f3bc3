import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Actor, ANY_ACTOR } from './actor.ts';
import { BUSYBOX, type Installation, install } from './installation.ts';
import { itInSoak } from './it-where.ts';
import { until } from './processes.ts';

/**
 * Counts in a variable, and writes the number down on the disk and in shared memory: often enough
 * to wait for, no more.
 */
const COUNTING =
  'n=0; while :; do n=$((n + 1)); echo $n > /on-disk; echo $n > /dev/shm/in-memory; echo $n; sleep 0.2; done';
const FORKS = ['one', 'two', 'three'];
/** What no two boxes may share. */
const IDENTITY =
  'hostname; cat /proc/sys/kernel/random/boot_id; head -c 16 /dev/urandom | od -An -tx1';

let installation: Installation;
beforeAll(async () => {
  installation = await install();
});
afterAll(() => installation.remove());

describe.each(ANY_ACTOR)('a memory snapshot, %s', (name) => {
  let actor: Actor;
  beforeAll(async () => {
    actor = new Actor(name, installation);
    await actor.prepare();
    await actor.ok([
      'run',
      '-d',
      '--name',
      'source',
      '--network',
      'none',
      BUSYBOX,
      'sh',
      '-c',
      COUNTING,
    ]);
    await actor.ok([
      'exec',
      'source',
      'sh',
      '-c',
      'echo kept > /kept; echo secret > /dev/shm/kept',
    ]);
  });
  afterAll(() => actor.leave());

  const counted = async (box: string): Promise<number> =>
    Number(await actor.ok(['exec', box, 'cat', '/dev/shm/in-memory', '/on-disk'].slice(0, 4)));
  const goesOn = async (box: string): Promise<void> => {
    const before = await counted(box);
    await until(`${box} goes on`, async () => (await counted(box)) > before);
  };
  function killServer(): void {
    const pid = actor.serverPid();
    if (pid === undefined) throw new Error('there is no server to kill');
    process.kill(pid, 'SIGKILL');
  }

  it('takes a memory snapshot of a running box, which continues, with a warning', async () => {
    const { code, stdout, stderr } = await actor.run([
      ...['snapshot', 'create', '--memory', '--name', 'origin', 'source'],
    ]);
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^[0-9a-f]{64}\n$/)]);
    expect(stderr).toContain('Network connections out of the box are not copied');
    await goesOn('source');
    expect(await actor.ok(['snapshot', 'ls', '--format', '{{.Name}} {{.Box}} {{.State}}'])).toBe(
      'origin source ready',
    );
    expect(readdirSync(actor.snapshotMemory)).toEqual([stdout.trim()]);
  });

  it('starts forks that continue from the same state with their own identity', async () => {
    const from = await counted('source');
    for (const fork of FORKS) {
      await actor.ok(['run', '-d', '--name', fork, '--from-snapshot', 'origin']);
    }
    const identities: string[] = [];
    for (const box of ['source', ...FORKS]) {
      await goesOn(box);
      expect(await actor.ok(['exec', box, 'cat', '/kept', '/dev/shm/kept'])).toBe('kept\nsecret');
      identities.push(...(await actor.ok(['exec', box, 'sh', '-c', IDENTITY])).split('\n'));
    }
    // The source's is its short id too.
    expect(new Set(identities).size).toBe(3 * (1 + FORKS.length));
    const [first] = (await actor.ok(['logs', 'one'])).split('\n');
    expect(Number(first)).toBeGreaterThan(1);
    expect(Number(first)).toBeLessThanOrEqual(from);
    const started = JSON.parse(await actor.ok(['inspect', 'one']))[0];
    expect(started.Machine.Start).toBe('snapshot');
  });

  it('gives forks their own writable layers, which survive a restart', async () => {
    await actor.ok(['exec', 'one', 'sh', '-c', 'echo mine > /mine; sync']);
    expect((await actor.run(['exec', 'two', 'cat', '/mine'])).code).not.toBe(0);
    await actor.ok(['stop', '-t', '1', 'one']);
    await actor.ok(['start', 'one']);
    expect(await actor.ok(['exec', 'one', 'cat', '/mine', '/kept'])).toBe('mine\nkept');
    expect((await actor.run(['exec', 'one', 'cat', '/dev/shm/kept'])).code).not.toBe(0);
    await goesOn('one');
  });

  it('takes memory snapshots of forks, and of a restarted one', async () => {
    for (const box of ['one', 'two']) {
      await actor.ok(['snapshot', 'create', '--memory', '--name', `of-${box}`, box]);
      await actor.ok(['run', '-d', '--name', `${box}-again`, '--from-snapshot', `of-${box}`]);
      await goesOn(`${box}-again`);
      await goesOn(box);
      await actor.ok(['rm', '-f', `${box}-again`]);
      await actor.ok(['snapshot', 'rm', `of-${box}`]);
    }
  });

  it('leaves the box running and nothing behind when the server dies during a snapshot', async () => {
    for (const delay of [20, 60, 150]) {
      const making = actor.start(['snapshot', 'create', '--memory', '--name', 'cut', 'source']);
      const ended = new Promise((resolve) => making.once('close', resolve));
      await new Promise((resolve) => setTimeout(resolve, delay + 60));
      killServer();
      await ended;
      await goesOn('source');
      const names = (await actor.ok(['snapshot', 'ls', '-q', '--no-trunc'])).split('\n');
      await until(
        'nothing else lies in memory',
        () => readdirSync(actor.snapshotMemory).length === names.length,
      );
      await actor.run(['snapshot', 'rm', 'cut']);
    }
  });

  it('starts a fork completely or not at all when the server dies meanwhile', async () => {
    for (const delay of [150, 300, 500]) {
      const starting = actor.start(['run', '-d', '--name', 'torn', '--from-snapshot', 'origin']);
      const ended = new Promise((resolve) => starting.once('close', resolve));
      await new Promise((resolve) => setTimeout(resolve, delay));
      killServer();
      await ended;
      const listed = await actor.ok([
        'ps',
        '-a',
        '--filter',
        'name=torn',
        '--format',
        '{{.State}}',
      ]);
      if (listed === '') continue;
      expect(['created', 'running']).toContain(listed);
      if (listed === 'created') await actor.ok(['start', 'torn']);
      await goesOn('torn');
      const hostname = await actor.ok(['exec', 'torn', 'hostname']);
      expect(await actor.ok(['ps', '--filter', 'name=torn', '--format', '{{.ID}}'])).toBe(hostname);
      await actor.ok(['rm', '-f', 'torn']);
    }
  });

  itInSoak(
    'takes a memory snapshot of boxes with hot-plugged memory, several CPUs and a network',
    async () => {
      await actor.ok(['template', 'warm', '--cpus', '2'], { deadlineMs: 180_000 });
      const published = async (box: string): Promise<string> => {
        const [, port] = /127\.0\.0\.1:(\d+)->/.exec(
          await actor.ok(['ps', '--filter', `name=${box}`, '--format', '{{.Ports}}']),
        ) ?? [undefined, ''];
        // Until it serves, connections are reset.
        const answer = await fetch(`http://127.0.0.1:${port}/name`).catch(() => undefined);
        return (await answer?.text())?.trim() ?? '';
      };
      await actor.ok([
        ...['run', '-d', '--name', 'large', '--cpus', '2', '-m', '1g', '-p', '127.0.0.1::8080'],
        ...[BUSYBOX, 'sh', '-c', 'hostname > /tmp/name; exec httpd -f -p 8080 -h /tmp'],
      ]);
      const started = JSON.parse(await actor.ok(['inspect', 'large']))[0];
      expect(started.Machine.Start).toBe('template');
      await until('it serves', async () => (await published('large')) !== '');
      // Written before and after the snapshot, in memory that was attached.
      const fill = 'dd if=/dev/urandom of=/dev/shm/fill bs=1M count=280; md5sum < /dev/shm/fill';
      const sum = (await actor.ok(['exec', 'large', 'sh', '-c', fill], { deadlineMs: 60_000 }))
        .split('\n')
        .at(-1);
      await actor.ok(['snapshot', 'create', '--memory', '--name', 'large', 'large']);
      await actor.ok([
        ...['run', '-d', '--name', 'second', '-p', '127.0.0.1::8080', '--from-snapshot', 'large'],
      ]);
      await until('both serve', async () => {
        const names = [await published('second'), await published('large')];
        return names[0] !== '' && names[0] === names[1];
      });
      const again = ['sh', '-c', 'nproc; md5sum < /dev/shm/fill'];
      const answer = await actor.ok(['exec', 'second', ...again], { deadlineMs: 60_000 });
      expect(answer).toBe(`2\n${sum}`);
      const macs = ['large', 'second'].map((box) =>
        actor.ok(['exec', box, 'cat', '/sys/class/net/eth0/address']),
      );
      expect(new Set(await Promise.all(macs)).size).toBe(2);
      await actor.ok(['rm', '-f', 'large', 'second']);
      await actor.ok(['snapshot', 'rm', 'large']);
    },
  );

  it('removes a memory snapshot with its memory while its forks run', async () => {
    await actor.ok(['snapshot', 'rm', 'origin']);
    expect(existsSync(actor.snapshotMemory)).toBe(false);
    expect(readdirSync(join(actor.home, 'snapshots'))).toEqual([]);
    for (const box of ['source', ...FORKS]) await goesOn(box);
    await actor.ok(['rm', '-f', 'source', ...FORKS]);
  });
});
