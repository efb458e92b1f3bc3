import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildImage, busyboxImage, dockerArchive } from '../images/build-image.ts';
import { Actor, ANY_ACTOR } from './actor.ts';
import { type Installation, install } from './installation.ts';
import { until } from './processes.ts';

const IMAGE = 'localhost/a3s/database:1';
const { layers, config, ...rest } = busyboxImage(IMAGE);
const DATABASE = buildImage({
  ...rest,
  config: { ...config, Volumes: { '/srv/data': {} } },
  layers: [
    ...layers,
    [
      { path: 'srv', type: 'directory', mode: 0o755 },
      { path: 'srv/data', type: 'directory', mode: 0o700, uid: 70, gid: 71 },
      { path: 'srv/data/file', data: 'of the image\n', mode: 0o640, uid: 70, gid: 71 },
    ],
  ],
});
/** Appends lines, and says a line's number once it is on the disk. */
const WRITER =
  'i=0; while :; do i=$((i+1)); echo "line $i" >> /srv/data/log; sync /srv/data/log && echo "$i"; done';

let installation: Installation;
beforeAll(async () => {
  installation = await install();
});
afterAll(() => installation.remove());

describe.each(ANY_ACTOR)('a volume of %s that is a disk', (name) => {
  let actor: Actor;
  beforeAll(async () => {
    actor = new Actor(name, installation);
    await actor.prepare();
    const archive = join(actor.directory, 'image.tar');
    writeFileSync(archive, dockerArchive([DATABASE]), { mode: 0o644 });
    await actor.ok(['load', '-i', archive]);
    await actor.ok(['volume', 'create', '--opt', 'type=disk', '--opt', 'size=64m', 'data']);
  });
  afterAll(async () => {
    await actor.leave();
    expect(actor.remains()).toEqual([]);
  });

  const run = (flags: readonly string[], script: string) =>
    actor.run(['run', '--network', 'none', ...flags, IMAGE, 'sh', '-c', script]);
  const ok = async (flags: readonly string[], script: string): Promise<string> => {
    const result = await run(flags, script);
    expect(result).toMatchObject({ code: 0 });
    return result.stdout;
  };

  it('a disk volume has the image’s files with their owners, no lost+found, and what a box wrote before', async () => {
    const show = 'cd /srv/data && stat -c "%n %a %u:%g" . file && ls && echo more > new';
    const shown = ['. 700 70:71', 'file 640 70:71', 'file', ''].join('\n');
    expect(await ok(['--rm', '-v', 'data:/srv/data'], show)).toBe(shown);
    expect(await ok(['--rm', '-v', 'data:/other'], 'ls /other; chown 5:6 /other/new')).toBe(
      'file\nnew\n',
    );
    expect(
      await ok(['--rm', '-v', 'data:/x'], 'stat -c %u:%g /x/new; df -k /x | tail -n 1'),
    ).toMatch(/^5:6\n\S+ +[3-6]\d{4} /);
  });

  it('root of a box cannot write to a disk volume that it mounts read-only, or to a part of it', async () => {
    const script = 'echo x > /x/new; mount -o remount,rw /x; echo x > /x/new; cat /x/new /part';
    const part = 'type=volume,src=data,dst=/part,volume-subpath=file,readonly';
    const result = await run(['--rm', '-v', 'data:/x:ro', '--mount', part], script);
    expect(result.stdout).toBe('more\nof the image\n');
  });

  it('a disk volume has one box at a time, and every line that was synced when the VMM is killed', async () => {
    const box = ['run', '-d', '--name', 'writer', '--network', 'none', '-v', 'data:/srv/data'];
    await actor.ok([...box, IMAGE, 'sh', '-c', WRITER]);
    const lines = async () => (await actor.ok(['logs', 'writer'])).split('\n').filter(Boolean);
    await until('the box has synced some lines', async () => (await lines()).length > 20);
    const second = await run(['--rm', '-v', 'data:/x:ro'], 'true');
    expect(second).toMatchObject({ code: 125, stderr: expect.stringContaining('it is a disk') });
    for (const { pid } of actor.vmms()) process.kill(pid, 'SIGKILL');
    await actor.ok(['wait', 'writer']);
    const synced = Number((await lines()).at(-1));
    expect(synced).toBeGreaterThan(20);
    const unclean = await run(['--rm', '-v', 'data:/x:ro'], 'true');
    expect(unclean.stderr).toContain('journal cannot be replayed');
    const kept = await ok(['--rm', '-v', 'data:/x'], 'cat /x/log');
    const wanted = Array.from({ length: synced }, (_, index) => `line ${index + 1}`);
    expect(kept.split('\n').slice(0, synced)).toEqual(wanted);
    await actor.ok(['rm', 'writer']);
    await actor.ok(['volume', 'rm', 'data']);
  });

  it('keeps owners in the volume that the image declares, and removes it with the box', async () => {
    const show =
      'stat -c "%a %u:%g" /srv/data; chown 5:6 /srv/data/file; stat -c %u:%g /srv/data/file';
    expect(await ok(['--rm'], show)).toBe('700 70:71\n5:6\n');
    expect(await actor.ok(['volume', 'ls', '-q'])).toBe('');
  });
});
