import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildImage, busyboxImage, dockerArchive } from '../images/build-image.ts';
import { ACTORS, Actor } from './actor.ts';
import { alikeFor } from './alike.ts';
import { type Installation, install } from './installation.ts';
import { until } from './processes.ts';

const IMAGE = 'localhost/a3s/with-data:1';
const { layers, ...rest } = busyboxImage(IMAGE);
const WITH_DATA = buildImage({
  ...rest,
  layers: [
    ...layers,
    [
      { path: 'srv', type: 'directory', mode: 0o755 },
      { path: 'srv/data', type: 'directory', mode: 0o750, uid: 1000, gid: 100 },
      { path: 'srv/data/file', data: 'of the image\n', mode: 0o640, uid: 1000, gid: 100 },
      { path: 'srv/data/twice', type: 'hardlink', target: 'srv/data/file' },
      { path: 'srv/data/link', type: 'symlink', target: 'file' },
      { path: 'srv/data/below', type: 'directory', mode: 0o755 },
      { path: 'srv/data/below/more', data: 'more\n' },
    ],
  ],
});

let installation: Installation;
beforeAll(async () => {
  installation = await install();
});
afterAll(() => installation.remove());

describe.each(ACTORS)('a volume of %s', (name) => {
  let actor: Actor;
  /** For what no user of the host makes a difference to. */
  const alike = alikeFor(name);
  beforeAll(async () => {
    actor = new Actor(name, installation);
    await actor.prepare();
    const archive = join(actor.directory, 'image.tar');
    writeFileSync(archive, dockerArchive([WITH_DATA]), { mode: 0o644 });
    await actor.ok(['load', '-i', archive]);
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

  it('fills a new volume with what the image has there, with owners, modes and links', async () => {
    const show = 'cd /srv/data && stat -c "%n %a %u:%g %h" . file below/more && readlink link';
    const [u, g] = name === 'root' ? [1000, 100] : [0, 0];
    const shown = await ok(['--rm', '-v', 'data:/srv/data'], `${show} && cat twice`);
    expect(shown.split('\n')).toEqual([
      `. 750 ${u}:${g} 3`,
      `file 640 ${u}:${g} 2`,
      'below/more 644 0:0 1',
      ...['file', 'of the image', ''],
    ]);
  });

  it('keeps a volume after its box, does not fill it again, and shows it to the next box', async () => {
    const script = 'echo changed > /srv/data/file; rm -r /srv/data/below; echo new > /srv/data/new';
    await ok(['--rm', '-v', 'data:/srv/data'], script);
    expect(await ok(['--rm', '-v', 'data:/other'], 'ls /other; cat /other/file')).toBe(
      ['file', 'link', 'new', 'twice', 'changed', ''].join('\n'),
    );
    const mountpoint = await actor.ok(['volume', 'inspect', '-f', '{{.Mountpoint}}', 'data']);
    expect(readdirSync(mountpoint).sort()).toEqual(['file', 'link', 'new', 'twice']);
  });

  it('does not let root of the box write to a read-only volume', async () => {
    const script = 'echo x > /data/file; mount -o remount,rw /data; echo x > /data/file';
    const result = await run(['--rm', '-v', 'data:/data:ro'], `${script}; cat /data/new`);
    expect(result.stdout).toBe('new\n');
    expect(await ok(['--rm', '-v', 'data:/data'], 'cat /data/file')).toBe('changed\n');
  });

  alike('shares a volume between two boxes that run at once', async () => {
    const writer = ['run', '-d', '--name', 'writer', '--network', 'none', '-v', 'shared:/data'];
    await actor.ok([...writer, IMAGE, 'sh', '-c', 'echo hello > /data/greeting; sleep 1000']);
    const wait = 'until [ -s /data/greeting ]; do sleep 0.1; done; cat /data/greeting';
    expect(await ok(['--rm', '--volumes-from', 'writer:ro'], wait)).toBe('hello\n');
    const { code, stderr } = await actor.run(['volume', 'rm', 'shared']);
    expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining('in use') });
    await actor.ok(['rm', '-f', 'writer']);
    await actor.ok(['volume', 'rm', 'shared']);
  });

  alike(
    'keeps what a box wrote to its volume when the VMM is killed, and does not fill it again',
    async () => {
      const box = ['run', '-d', '--name', 'killed', '--network', 'none', '-v', 'kept:/srv/data'];
      await actor.ok([
        ...box,
        IMAGE,
        'sh',
        '-c',
        'rm -r /srv/data/*; echo mine > /srv/data/mine; sync; sleep 1000',
      ]);
      const mountpoint = await actor.ok(['volume', 'inspect', '-f', '{{.Mountpoint}}', 'kept']);
      await until('the box has written', () => existsSync(join(mountpoint, 'mine')));
      await until('the box has removed the rest', () => readdirSync(mountpoint).length === 1);
      for (const { pid } of actor.vmms()) process.kill(pid, 'SIGKILL');
      await actor.ok(['wait', 'killed']);
      await actor.ok(['start', 'killed']);
      expect(readdirSync(mountpoint)).toEqual(['mine']);
      await actor.ok(['rm', '-f', 'killed']);
    },
  );

  alike('removes an anonymous volume with a box that is removed at its end', async () => {
    const before = await actor.ok(['volume', 'ls', '-q']);
    expect(await ok(['--rm', '-v', '/scratch'], 'touch /scratch/x && ls /scratch')).toBe('x\n');
    expect(await actor.ok(['volume', 'ls', '-q'])).toBe(before);
  });

  alike(
    'a box has a volume for a directory that the image declares, which other boxes can mount',
    async () => {
      const { config, ...image } = busyboxImage('localhost/a3s/declares:1');
      const archive = join(actor.directory, 'declares.tar');
      const declares = buildImage({ ...image, config: { ...config, Volumes: { 'srv/own': {} } } });
      writeFileSync(archive, dockerArchive([declares]), { mode: 0o644 });
      await actor.ok(['load', '-i', archive]);
      const box = ['run', '--name', 'declares', '--network', 'none', 'localhost/a3s/declares:1'];
      await actor.ok([...box, 'sh', '-c', 'echo kept > /srv/own/file']);
      expect(await ok(['--rm', '--volumes-from', 'declares'], 'cat /srv/own/file')).toBe('kept\n');
      const shown = ['inspect', '-f', '{{range .Mounts}}{{.Name}}{{end}}', 'declares'];
      const volumes = await actor.ok(['volume', 'ls', '-q', '--filter', 'dangling=false']);
      expect(await actor.ok(shown)).toBe(volumes);
      await actor.ok(['rm', '-v', 'declares']);
      expect(await actor.ok(['volume', 'ls', '-q'])).not.toContain(volumes);
    },
  );

  it('prunes a volume that no box mounts', async () => {
    const out = await actor.ok(['volume', 'prune', '--all', '--force']);
    expect(out).toContain('data');
    expect(await actor.ok(['volume', 'ls', '-q'])).toBe('');
  });
});
