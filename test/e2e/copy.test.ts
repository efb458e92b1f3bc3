import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildImage, busyboxImage, dockerArchive } from '../images/build-image.ts';
import { Actor, ANY_ACTOR } from './actor.ts';
import { type Installation, install } from './installation.ts';

const IMAGE = 'localhost/a3s/copied:1';

let installation: Installation;
beforeAll(async () => {
  installation = await install();
});
afterAll(() => installation.remove());

/** One box for everything: it runs, then does not, then runs again. */
describe.each(ANY_ACTOR)('copies of files of %s', (name) => {
  let actor: Actor;
  beforeAll(async () => {
    actor = new Actor(name, installation);
    await actor.prepare();
    const archive = join(actor.directory, 'image.tar');
    writeFileSync(archive, dockerArchive([buildImage(busyboxImage(IMAGE))]), { mode: 0o644 });
    await actor.ok(['load', '-i', archive]);
    const options = ['--name', 'copied', '--network', 'none', '-v', 'data:/data'];
    await actor.ok(['run', '-d', ...options, IMAGE, 'sh', '-c', 'exec sleep 1000']);
  });
  afterAll(async () => {
    await actor.leave();
    expect(actor.remains()).toEqual([]);
  });

  const path = (file: string): string => join(actor.directory, file);
  const exec = (script: string) => actor.ok(['exec', 'copied', 'sh', '-c', script]);

  it('copies a directory into a running box and out of it again', async () => {
    mkdirSync(path('tree/below'), { recursive: true });
    writeFileSync(path('tree/file'), 'content\n', { mode: 0o604 });
    writeFileSync(path('tree/below/large'), Buffer.alloc(3_000_000, 'x'));
    await actor.ok(['cp', 'tree', 'copied:/tmp']);
    await actor.ok(['cp', 'tree/file', 'copied:/data/in-volume']);
    expect(await exec('cat /tmp/tree/file /data/in-volume; stat -c %a /tmp/tree/file')).toBe(
      'content\ncontent\n604',
    );
    await actor.ok(['cp', 'copied:/tmp/tree', 'back']);
    expect(readFileSync(path('back/below/large')).length).toBe(3_000_000);
    expect(await actor.ok(['cp', 'copied:/etc/hostname', 'hostname'])).toBe('');
    expect(readFileSync(path('hostname'), 'utf8').trimEnd()).toBe(await exec('cat /etc/hostname'));
    // What is mounted there by the kernel is not copied.
    await actor.ok(['cp', 'copied:/proc', 'proc']);
    expect(readdirSync(path('proc'))).toEqual([]);
    const missing = await actor.run(['cp', 'copied:/absent', '.']);
    expect(missing).toMatchObject({ code: 1 });
    expect(missing.stderr).toContain('Could not find the file /absent in container copied');
  });

  it('copies while the box is paused', async () => {
    await actor.ok(['pause', 'copied']);
    await actor.ok(['cp', 'copied:/tmp/tree/file', 'paused']);
    await actor.ok(['unpause', 'copied']);
    expect(readFileSync(path('paused'), 'utf8')).toBe('content\n');
  });

  it('lists what has changed, and exports it without the volume', async () => {
    await exec('rm /bin/false; mkdir /made; echo x > /made/file');
    const changes = (await actor.ok(['diff', 'copied'])).split('\n');
    expect(changes).toEqual(
      expect.arrayContaining(['D /bin/false', 'A /made', 'A /made/file', 'A /tmp/tree/file']),
    );
    expect(changes.filter((line) => /hosts|resolv|hostname|proc|in-volume/.test(line))).toEqual([]);
    const { bytes } = await actor.run(['export', 'copied']);
    expect(bytes.includes('made/file')).toBe(true);
    expect(bytes.includes('in-volume')).toBe(false);
  });

  it('copies to, from and of a stopped box, and leaves its state as it is', async () => {
    await actor.ok(['kill', 'copied']);
    await actor.ok(['wait', 'copied']);
    const show = ['inspect', '-f', '{{json .State}}', 'copied'];
    const before = await actor.ok(show);
    await actor.ok(['cp', 'tree/file', 'copied:/made/stopped']);
    await actor.ok(['cp', 'copied:/data/in-volume', 'stopped']);
    expect(readFileSync(path('stopped'), 'utf8')).toBe('content\n');
    expect(await actor.ok(['diff', 'copied'])).toContain('A /made/stopped\n');
    expect(await actor.ok(show)).toBe(before);
  });

  it('shows the files to the next run', async () => {
    await actor.ok(['start', 'copied']);
    expect(await exec('cat /made/stopped; [ -e /bin/false ] || echo gone')).toBe('content\ngone');
  });
});
