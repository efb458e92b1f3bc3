import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ACTORS, Actor } from './actor.ts';
import { BUSYBOX, type Installation, install } from './installation.ts';
import { until } from './processes.ts';
import { scaled } from './time-scale.ts';

let installation: Installation;
beforeAll(async () => {
  installation = await install();
});
afterAll(() => installation.remove());

describe.each(ACTORS)('a bind mount of %s', (name) => {
  let actor: Actor;
  let shared: string;
  /** One box has all of them. */
  beforeAll(async () => {
    actor = new Actor(name, installation);
    await actor.prepare();
    shared = join(actor.directory, 'shared');
    const [program, ...args] = actor.program('mkdir', [shared]);
    expect(spawnSync(program, args).status).toBe(0);
    writeFileSync(join(shared, 'given'), 'from the host\n');
    writeFileSync(join(shared, 'sibling'), 'not yours\n');
    actor.own(join(shared, 'given'), join(shared, 'sibling'));
    await actor.ok([
      ...['run', '-d', '--name', 'bound', '--network', 'none'],
      ...['-v', `${shared}:/data`, '-v', `${shared}:/read-only:ro`],
      ...['-v', `${join(shared, 'given')}:/etc/given:ro`, '-v', `${join(shared, 'new')}:/new`],
      ...[BUSYBOX, 'sleep', '1000'],
    ]);
  });
  afterAll(() => actor.leave());

  const inBox = (script: string) => actor.run(['exec', 'bound', 'sh', '-c', script]);

  it('a bind mount can be read and written from both sides', async () => {
    const result = await inBox('cat /data/given && echo from the box > /data/made');
    expect(result).toMatchObject({ code: 0, stdout: 'from the host\n', stderr: '' });
    expect(readFileSync(join(shared, 'made'), 'utf8')).toBe('from the box\n');
  });

  it('a read-only bind mount cannot be written', async () => {
    const result = await inBox('cat /read-only/given; echo x > /read-only/forbidden');
    expect(result.stdout).toBe('from the host\n');
    expect(result.code).not.toBe(0);
    expect(existsSync(join(shared, 'forbidden'))).toBe(false);
  });

  it('a bind mount of one file does not show its siblings', async () => {
    const result = await inBox('cat /etc/given; grep " /etc/given " /proc/mounts');
    expect(result.stdout).toMatch(/^from the host\n/);
    expect(result.stdout).not.toContain('sibling');
    expect(result.code).toBe(0);
  });

  it('a bind mount opens no device nodes of the host', async () => {
    const result = await inBox('grep " /data " /proc/mounts');
    expect(result.stdout).toMatch(/virtiofs .*nodev/);
  });

  it('a change that the host makes wakes watchers in the box within a second', async () => {
    const sub = join(shared, 'sub');
    mkdirSync(sub);
    /** The server of an ordinary user can report no file of another user. */
    const give = (path: string): void => actor.own(join(sub, path));
    const write = (file: string, content: string): void => {
      writeFileSync(join(sub, file), content);
      give(file);
    };
    give('');
    for (const file of ['changed', 'replaced', 'removed']) write(file, 'one');
    /** Writes what a probe of a path reports to a file of the box. */
    const probe = async (path: string, file: string): Promise<() => Promise<string>> => {
      await actor.ok(['exec', '-d', 'bound', 'sh', '-c', `exec watch-probe ${path} >> ${file}`]);
      const events = async () => (await inBox(`cat ${file}`)).stdout;
      await until(`${path} is watched`, async () => (await events()).startsWith('ready\n'));
      return events;
    };
    const ofDirectory = await probe('/data/sub', '/tmp/directory');
    const ofFile = await probe('/data/sub/changed', '/tmp/file');
    const ofReadonly = await probe('/read-only/sub', '/tmp/read-only');
    /** Of the time, what an exec takes alone does not count. */
    const wakes = async (event: string, change: () => void): Promise<void> => {
      const begun = performance.now();
      await inBox(': > /tmp/directory');
      const execMs = performance.now() - begun;
      const changed = performance.now();
      change();
      await inBox(`until grep -q '^${event} modified' /tmp/directory; do sleep 0.02; done`);
      expect(performance.now() - changed - 2 * execMs).toBeLessThan(scaled(1000));
    };
    // The host begins to watch a second after the box has started.
    let writes = 0;
    await until('the host watches', async () => {
      writes += 1;
      write('first', String(writes));
      return (await ofDirectory()).includes('first modified');
    });
    await wakes('changed', () => appendFileSync(join(sub, 'changed'), ' two'));
    expect(await ofFile()).toMatch(/^\. modified/m);
    expect((await inBox('cat /data/sub/changed')).stdout).toBe('one two');
    await wakes('new', () => write('new', 'new'));
    await wakes('replaced', () => {
      write('other', 'longer than before');
      renameSync(join(sub, 'other'), join(sub, 'replaced'));
    });
    expect((await inBox('cat /data/sub/replaced')).stdout).toBe('longer than before');
    // Of a file that is gone, the directory tells its watchers without a name.
    await wakes('\\.', () => rmSync(join(sub, 'removed')));
    expect((await inBox('cat /data/sub/removed')).code).not.toBe(0);
    await wakes('deep', () => {
      mkdirSync(join(sub, 'deep'));
      give('deep');
    });
    expect(await ofReadonly()).toBe('ready\n');
  });

  it('a missing bind source is created, as Docker does', async () => {
    expect(existsSync(join(shared, 'new'))).toBe(true);
    expect((await inBox('touch /new/made')).code).toBe(0);
    expect(existsSync(join(shared, 'new', 'made'))).toBe(true);
  });
});
