import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { cpio } from '../../src/boot/cpio.ts';
import { BootDocument, bootSetId } from '../../src/boot/document.ts';
import { ACTORS, Actor, finish, type Result } from './actor.ts';
import { BUSYBOX, type Installation, install } from './installation.ts';
import { until } from './processes.ts';

let installation: Installation;
beforeAll(async () => {
  installation = await install();
});
afterAll(() => installation.remove());

/** One clear line with the code, at most one with what to do, and no trace of the program's inside. */
function expectRefusal(result: Result, code: number, name: string): void {
  expect(result.stderr).toMatch(new RegExp(`^a3s-box: [^\\n]+ \\(${name}\\)\\n([^\\n]+\\n){0,2}$`));
  expect(result.stderr).not.toMatch(/\n\s+at |Error:/);
  expect(result.code).toBe(code);
}

describe.each(ACTORS)('what %s gets wrong', (name) => {
  let actor: Actor;
  beforeAll(async () => {
    actor = new Actor(name, installation);
    await actor.load('busybox');
  });
  afterAll(() => actor.leave());
  afterEach(async () => {
    expect(await actor.ok(['ps', '--all', '--quiet'])).toBe('');
    expect(actor.machines()).toEqual([]);
  });

  it.each([
    [['run', 'no/such:image', 'true'], 125, 'no-such-image'],
    [['run', 'UPPER/Case', 'true'], 125, 'invalid-reference'],
    [['run', '../../etc', 'true'], 125, 'invalid-reference'],
    [['run', `${BUSYBOX}@sha256:../../x`, 'true'], 125, 'invalid-reference'],
    [['run', '-m', '1k', BUSYBOX, 'true'], 125, 'invalid-argument'],
    [['run', '-m', '100t', BUSYBOX, 'true'], 125, 'invalid-argument|out-of-memory'],
    [['run', '--cpus', 'many', BUSYBOX, 'true'], 125, 'invalid-argument'],
    [['run', '--cpus', '1000', BUSYBOX, 'true'], 125, 'invalid-argument'],
    [['run', '-p', '99999:80', BUSYBOX, 'true'], 125, 'invalid-argument'],
    [['run', '-p', '[::1]:80:80', BUSYBOX, 'true'], 125, 'unsupported-option'],
    [['run', '-v', 'relative:data', BUSYBOX, 'true'], 125, 'invalid-argument|unsupported-option'],
    [['run', '--name', 'bad name', BUSYBOX, 'true'], 125, 'invalid-argument'],
    [['run', '--network', 'host', BUSYBOX, 'true'], 125, 'unsupported-option'],
    [['run', '--stop-signal', 'SIGNONE', BUSYBOX, 'true'], 125, 'invalid-argument'],
    [['run', '--privileged', BUSYBOX, 'true'], 125, 'unsupported-option'],
    [['run', '--no-such-flag', BUSYBOX], 125, 'invalid-argument'],
    [['exec', 'nobody', 'true'], 1, 'no-such-box'],
    [['logs', 'nobody'], 1, 'no-such-box'],
    [['stop', 'nobody'], 1, 'no-such-box'],
    [['kill', 'nobody'], 1, 'no-such-box'],
    [['rm', 'nobody'], 1, 'no-such-box'],
    [['rmi', 'no/such:image'], 1, 'no-such-image'],
    [['pull', 'busybox'], 125, 'unsupported-option|not-implemented'],
  ] as const)('%j', async (args, code, error) => {
    expectRefusal(await actor.run(args), code, `(?:${error})`);
  });

  it('is no image at all, or half of one', async () => {
    const archive = readFileSync(installation.archives.busybox);
    const damaged = Buffer.from(archive);
    damaged.fill(0xff, archive.length / 2, archive.length / 2 + 512);
    for (const bytes of [
      Buffer.from('not an archive'),
      archive.subarray(0, archive.length / 2),
      damaged,
    ]) {
      expectRefusal(await actor.run(['load'], { stdin: bytes }), 1, 'invalid-image');
    }
    expect(await actor.ok(['images', '--quiet'])).toMatch(/^[0-9a-f]{12}$/);
  });
});

describe('a host that cannot', () => {
  const name = ACTORS[0] ?? 'ordinary user';
  const mounts: string[] = [];
  const actors: Actor[] = [];
  const newcomer = (): Actor => {
    const actor = new Actor(name, installation);
    actors.push(actor);
    return actor;
  };
  afterEach(async () => {
    for (const actor of actors.splice(0)) {
      // A home on a small file system is left before the file system is.
      await actor.stopServer();
      for (const mount of mounts.splice(0)) execFileSync('umount', [mount]);
      await actor.leave();
    }
  });

  it.runIf(name === 'root')('store an image: its disk is full', async () => {
    const actor = newcomer();
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64m,mode=0700', 'small', actor.home]);
    mounts.push(actor.home);
    const result = await actor.run(['load', '--input', installation.archives.busybox]);
    expectRefusal(result, 1, 'disk-full');
    expect(await actor.ok(['images', '--quiet'])).toBe('');
    execFileSync('mount', ['-o', 'remount,size=1g', actor.home]);
    await actor.load('busybox');
  });

  it('boot without a boot set, or with one that was changed', async () => {
    const actor = newcomer();
    await actor.load('busybox');
    await actor.stopServer();
    const none = { env: { A3S_BOOT: join(actor.directory, 'none') } };
    expectRefusal(await actor.run(['run', BUSYBOX, 'true'], none), 125, 'boot-set-missing');
    await actor.stopServer();
    const changed = copyBootSet(actor.directory, 'changed');
    const initrd = join(changed, 'initrd');
    const bytes = readFileSync(initrd);
    bytes[1000] = (bytes[1000] ?? 0) ^ 1;
    writeFileSync(initrd, bytes);
    const result = await actor.run(['run', BUSYBOX, 'true'], { env: { A3S_BOOT: changed } });
    expectRefusal(result, 125, 'boot-set-missing');
    expect(await actor.ok(['ps', '--all', '--quiet'])).toBe('');
  });

  it('wait for an agent that never answers: says what the console said', async () => {
    const actor = newcomer();
    await actor.load('busybox');
    await actor.stopServer();
    const silent = copyBootSet(actor.directory, 'silent');
    const program = join(actor.directory, 'init');
    execFileSync('gcc', [
      '-static',
      '-O2',
      '-o',
      program,
      join(import.meta.dirname, 'silent-init.c'),
    ]);
    replaceInitrd(
      silent,
      cpio([
        { kind: 'directory', path: 'dev', mode: 0o755 },
        { kind: 'character-device', path: 'dev/console', mode: 0o600, major: 5, minor: 1 },
        { kind: 'file', path: 'init', mode: 0o755, data: readFileSync(program) },
      ]),
    );
    const env = { A3S_BOOT: silent, A3S_START_TIMEOUT: '8' };
    const result = await actor.run(['run', '--network', 'none', BUSYBOX, 'true'], { env });
    expect(result.code).toBe(125);
    expect(result.stderr).toContain('(agent-timeout)');
    expect(result.stderr).toContain('this guest has nothing to say');
    expect(await actor.ok(['ps', '--all', '--quiet'])).toBe('');
    expect(actor.machines()).toEqual([]);
  });

  it('serve one home twice', async () => {
    const actor = newcomer();
    const serving = actor.start(['serve']);
    await until('the server answers', async () => (await actor.run(['ps'])).code === 0);
    const second = await finish(actor.start(['serve']));
    expectRefusal(second, 125, 'server-running');
    expect(await actor.ok(['ps', '--quiet'])).toBe('');
    await actor.stopServer();
    await until('serve ends with its server', () => serving.exitCode === 0);
  });

  it('connect through a socket that a dead server left behind, and does all the same', async () => {
    const actor = newcomer();
    await actor.ok(['ps']);
    process.kill(actor.serverPid() ?? 0, 'SIGKILL');
    await until('the server is dead', () => actor.serverPid() === undefined);
    expect(existsSync(actor.socket)).toBe(true);
    expect(await actor.ok(['ps', '--quiet'])).toBe('');
  });

  it('read its records, and leaves them as they are', async () => {
    const actor = newcomer();
    await actor.ok(['ps']);
    await actor.stopServer();
    const path = join(actor.home, 'state.db');
    writeFileSync(path, 'this is no database, however long one looks at it\n'.repeat(100));
    const before = readFileSync(path);
    expectRefusal(await actor.run(['ps']), 1, 'state-unusable');
    expect(readFileSync(path)).toEqual(before);
  });
});

function copyBootSet(directory: string, name: string): string {
  const copy = join(directory, name);
  mkdirSync(copy, { mode: 0o755 });
  for (const file of ['vmlinux', 'bzImage', 'initrd', 'boot.json']) {
    copyFileSync(join(installation.root, 'dist/boot', file), join(copy, file));
    chmodSync(join(copy, file), 0o644);
  }
  return copy;
}

/** A set of its own: `boot.json` names the new initrd, and the id follows. */
function replaceInitrd(directory: string, initrd: Buffer): void {
  const path = join(directory, 'boot.json');
  const document = BootDocument.parse(JSON.parse(readFileSync(path, 'utf8')));
  const sha256 = createHash('sha256').update(initrd).digest('hex');
  const files = { ...document.files, initrd: { sha256, size: initrd.length } };
  const changed = { ...document, files };
  writeFileSync(join(directory, 'initrd'), initrd);
  writeFileSync(path, JSON.stringify({ ...changed, id: bootSetId(changed) }));
}
