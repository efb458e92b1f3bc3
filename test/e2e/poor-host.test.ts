import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { BOOT_FILES } from '../../src/boot/document.ts';
import { Actor, ANY_ACTOR } from './actor.ts';
import { BUSYBOX, type Installation, install } from './installation.ts';
import { itInSoak } from './it-where.ts';
import { until } from './processes.ts';
import { expectRefusal } from './refusal.ts';
import { initrdOf, replaceInitrd } from './support/hostile-boot-set.ts';
import { scaled } from './time-scale.ts';

let installation: Installation;
beforeAll(async () => {
  installation = await install();
});
afterAll(() => installation.remove());

const RUN = ['run', '--network', 'none', BUSYBOX, 'echo', 'ran'];

describe.each(ANY_ACTOR)('the boot set of %s', (name) => {
  let actor: Actor;
  beforeEach(async () => {
    actor = new Actor(name, installation);
    await actor.load('busybox');
    await actor.stopServer();
  });
  afterEach(async () => {
    expect(await actor.ok(['ps', '--all', '--quiet'])).toBe('');
    expect(actor.boxProcesses()).toEqual([]);
    await actor.leave();
    expect(actor.remains()).toEqual([]);
  });

  it('refuses to run a box when the boot set is missing', async () => {
    const env = { A3S_BOOT: join(actor.directory, 'none') };
    expectRefusal(await actor.run(RUN, { env }), 125, 'boot-set-missing');
    expect(listing(join(actor.home, 'boot'))).toEqual([]);
  });

  it('refuses to run a box when the boot set was changed', async () => {
    const changed = copyBootSet(actor.directory);
    const initrd = join(changed, 'initrd');
    const bytes = readFileSync(initrd);
    bytes[1000] = (bytes[1000] ?? 0) ^ 1;
    writeFileSync(initrd, bytes);
    const env = { A3S_BOOT: changed };
    expectRefusal(await actor.run(RUN, { env }), 125, 'boot-set-missing');
    expect(listing(join(actor.home, 'boot'))).toEqual([]);
  });

  it('shows the console of a guest that never answers', async () => {
    const silent = copyBootSet(actor.directory);
    // A guest that boots, says a line, and serves nobody.
    replaceInitrd(silent, initrdOf(actor.directory, 'silent-init.c'));
    const seconds = scaled(20);
    const env = { A3S_BOOT: silent, A3S_START_TIMEOUT: String(seconds) };
    const result = await actor.run(RUN, { env });
    expect(result).toMatchObject({ code: 125, stdout: '' });
    expect(result.stderr.split('\n')[0]).toBe(
      `a3s-box: The guest agent did not answer within ${seconds} s; its console ends: (agent-timeout)`,
    );
    expect(result.stderr).toContain('\nthis guest has nothing to say\n');
    expect(result.stderr).not.toMatch(/\n\s+at /);
    // The second probe of KVM may still run; it ends with the server.
    const left = listing(actor.runtimeDir).filter((path) => !/^probe(\/|$)/.test(path));
    expect(left).toEqual(['server.sock']);
    expect(listing(join(actor.home, 'boxes'))).toEqual([]);
  });
});

itInSoak('a box walks through more files than its file server may have open', async () => {
  const actor = new Actor('ordinary user', installation);
  try {
    await actor.prepare();
    await actor.stopServer();
    const many = join(actor.directory, 'many');
    for (const part of ['a', 'b']) {
      mkdirSync(join(many, part), { recursive: true });
      for (let at = 0; at < 600; at += 1) writeFileSync(join(many, part, String(at)), part);
    }
    // The server keeps the limit of the command that starts it.
    const [program, ...args] = actor.command(['ps', '--quiet']);
    execFileSync('prlimit', ['--nofile=1024', '--', program, ...args], { env: actor.env });
    const limits = readFileSync(`/proc/${actor.serverPid()}/limits`, 'utf8');
    expect(limits).toMatch(/Max open files +1024 +1024 /);
    const walk = 'find /many -type f | wc -l; cat /many/*/* | wc -c';
    const run = ['run', '--network', 'none', '-v', `${many}:/many:ro`, BUSYBOX, 'sh', '-c', walk];
    expect((await actor.ok(run)).split('\n').map(Number)).toEqual([1200, 1200]);
  } finally {
    await actor.leave();
  }
  expect(actor.remains()).toEqual([]);
});

describe.runIf(process.getuid?.() === 0)('a full disk', () => {
  let actor: Actor;
  const ballast = () => join(actor.home, 'ballast');
  beforeEach(() => {
    actor = new Actor('root', installation);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64m,mode=0700', 'small', actor.home]);
  });
  afterEach(async () => {
    rmSync(ballast(), { force: true });
    await actor.stopServer();
    // What a box left there would keep it mounted. The server's own process may need a moment.
    await until('nothing uses the full disk', () => spawnSync('umount', [actor.home]).status === 0);
    await actor.leave();
    expect(actor.remains()).toEqual([]);
  });

  /** Leaves so many bytes free. A box that runs may take some meanwhile. */
  function fill(free: number): void {
    rmSync(ballast(), { force: true });
    const isFilled = (): boolean => {
      const { bavail, bsize } = statfsSync(actor.home);
      const length = String(bavail * bsize - free);
      return spawnSync('fallocate', ['--length', length, ballast()]).status === 0;
    };
    expect(Array.from({ length: 50 }).some(isFilled)).toBe(true);
  }

  const kept = () => ['boot', 'boxes', 'images'].map((path) => listing(join(actor.home, path)));

  it('refuses images and boxes on a full disk, and accepts them once there is space', async () => {
    const load = ['load', '--input', installation.archives.busybox];
    // A template in the making is a VM, and takes space.
    const untemplated = { env: { A3S_TEMPLATES: 'off' } };
    expect(await actor.ok(['ps', '--quiet'], untemplated)).toBe('');
    const empty = kept();
    expectRefusal(await actor.run(load), 1, 'disk-full');
    expect(await actor.ok(['images', '--quiet'])).toBe('');
    expect(kept()).toEqual(empty);

    execFileSync('mount', ['-o', 'remount,size=1g', actor.home]);
    await actor.load('busybox');
    const loaded = kept();
    for (const free of [20_000_000, 0]) {
      fill(free);
      expectRefusal(await actor.run(RUN), 125, 'disk-full');
      expect(await actor.ok(['ps', '--all', '--quiet'])).toBe('');
      expect(kept().slice(1)).toEqual(loaded.slice(1));
      expect(listing(join(actor.home, 'boot'))).toEqual([]);
    }

    rmSync(ballast());
    expect(await actor.ok(['run', '--rm', ...RUN.slice(1)])).toBe('ran');
    const booted = kept();
    fill(0);
    expectRefusal(await actor.run(RUN), 125, 'disk-full');
    expect(await actor.ok(['ps', '--all', '--quiet'])).toBe('');
    expect(kept()).toEqual(booted);
    expect(actor.boxProcesses()).toEqual([]);

    rmSync(ballast());
    const id = await actor.ok(['create', BUSYBOX, 'true']);
    expect(await actor.ok(['rm', id])).toBe(id);
  });

  it('leaves nothing of a commit and a snapshot on a full disk, and the box running', async () => {
    execFileSync('mount', ['-o', 'remount,size=1g', actor.home]);
    await actor.load('busybox');
    const write =
      'dd if=/dev/urandom of=/big bs=1M count=24 && sync && echo ready && exec sleep 1000';
    await actor.ok([
      ...['run', '-d', '--name', 'full', '--network', 'none', BUSYBOX, 'sh', '-c', write],
    ]);
    await expect.poll(() => actor.ok(['logs', 'full'])).toContain('ready');
    const before = kept().slice(1);
    fill(8_000_000);
    expectRefusal(await actor.run(['commit', 'full', 'made']), 1, 'disk-full');
    expect(kept().slice(1)).toEqual(before);
    expect(await actor.ok(['images', '--format', '{{.Repository}}'])).not.toContain('made');
    fill(0);
    expectRefusal(
      await actor.run(['snapshot', 'create', '--memory=false', 'full']),
      1,
      'disk-full',
    );
    expect([await actor.ok(['snapshot', 'ls', '--quiet']), kept().slice(1)]).toEqual(['', before]);
    // The box goes on.
    expect(await actor.ok(['exec', 'full', 'echo', 'runs'])).toBe('runs');

    rmSync(ballast());
    await actor.ok(['rm', '--force', '--volumes', 'full']);
  });

  it('records the end of a box on a full disk, and removes boxes', {
    timeout: scaled(600_000),
  }, async () => {
    const untemplated = { env: { A3S_TEMPLATES: 'off' } };
    expect(await actor.ok(['ps', '--quiet'], untemplated)).toBe('');
    execFileSync('mount', ['-o', 'remount,size=1g', actor.home]);
    await actor.load('busybox');
    const box = ['--network', 'none', BUSYBOX, 'sleep', '1000'];
    await actor.ok(['run', '-d', '--name', 'running', ...box]);
    await actor.ok(['create', '--name', 'created', ...box]);
    const reserve = join(actor.home, 'state.reserve');
    expect(statSync(reserve).blocks * 512).toBeGreaterThanOrEqual(512 * 1024);
    fill(0);
    await actor.ok(['kill', 'running']);
    expect(await actor.ok(['wait', 'running'])).toBe('137');
    await actor.ok(['rm', 'created', 'running']);
    expect(await actor.ok(['ps', '--all', '--quiet'])).toBe('');
    expect(readFileSync(join(actor.home, 'server.log'), 'utf8')).toContain('use the reserve');

    rmSync(ballast());
    await expect.poll(() => statSync(reserve).size).toBe(512 * 1024);
  });
});

function listing(directory: string): readonly string[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory, { recursive: true }).map(String).sort();
}

function copyBootSet(directory: string): string {
  const copy = join(directory, 'boot');
  mkdirSync(copy, { mode: 0o755 });
  for (const file of [...BOOT_FILES, 'boot.json']) {
    copyFileSync(join(installation.root, 'dist/boot', file), join(copy, file));
    chmodSync(join(copy, file), 0o644);
  }
  return copy;
}
