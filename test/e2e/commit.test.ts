import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildImage, busyboxImage, dockerArchive } from '../images/build-image.ts';
import { Actor, ANY_ACTOR } from './actor.ts';
import { type Installation, install } from './installation.ts';

const IMAGE = 'localhost/a3s/committed:1';
const MADE = 'localhost/a3s/made:1';

let installation: Installation;
beforeAll(async () => {
  installation = await install();
});
afterAll(() => installation.remove());

/** One box for everything: it runs, then does not. */
describe.each(ANY_ACTOR)('commits of %s', (name) => {
  let actor: Actor;
  beforeAll(async () => {
    actor = new Actor(name, installation);
    await actor.prepare();
    const archive = join(actor.directory, 'image.tar');
    writeFileSync(archive, dockerArchive([buildImage(busyboxImage(IMAGE))]), { mode: 0o644 });
    await actor.ok(['load', '-i', archive]);
    const options = ['--name', 'committed', '--network', 'none', '-e', 'A=1', '-v', 'data:/data'];
    await actor.ok([
      ...['run', '-d', ...options, '--tmpfs', '/scratch', IMAGE, 'sh', '-c', 'exec sleep 1000'],
    ]);
  });
  afterAll(async () => {
    await actor.leave();
    expect(actor.remains()).toEqual([]);
  });

  const layers = async (image: string): Promise<readonly string[]> =>
    JSON.parse(await actor.ok(['inspect', '-f', '{{json .RootFS.Layers}}', image]));

  it('makes an image of a running box that starts as the box was left', async () => {
    const script = [
      'rm /bin/false; mkdir -p /made/again; echo content > /made/file; ln /made/file /made/link',
      'ln -s file /made/symbolic; mkfifo /made/fifo; chown 12:34 /made/file; chmod 4750 /made/file',
      'rm /etc/group; rm -r /home && mkdir /home && echo anew > /home/file',
      'echo volume > /data/in-volume; echo memory > /scratch/in-memory',
    ];
    await actor.ok(['exec', 'committed', 'sh', '-c', script.join('\n')]);
    const changes = ['-c', 'ENV B=$A', '--change', 'CMD ["cat", "/made/link"]'];
    const id = await actor.ok(['commit', '-m', 'why', '-a', 'me', ...changes, 'committed', MADE]);
    expect(id).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(await actor.ok(['inspect', '-f', '{{.State.Status}}', 'committed'])).toBe('running');
    const run = ['run', '--rm', '--network', 'none', MADE];
    expect(await actor.ok(run)).toBe('content');
    const look = [
      'stat -c "%u:%g %a %h" /made/file; readlink /made/symbolic; [ -p /made/fifo ] && echo fifo',
      '[ -e /bin/false ] || echo gone; ls /data /scratch; cat /home/file; [ -e /etc/group ] || echo gone; echo $A$B',
    ];
    expect((await actor.ok([...run, 'sh', '-c', look.join('\n')])).split('\n')).toEqual([
      ...['12:34 4750 2', 'file', 'fifo', 'gone', '/data:', '', '/scratch:'],
      ...['anew', 'gone', '11'],
    ]);
    const history = await actor.ok(['history', '--format', '{{.CreatedBy}} {{.Comment}}', MADE]);
    expect(history.split('\n')[0]).toBe('sh -c exec sleep 1000 why');
  });

  it('makes the same layer of the box when it does not run', async () => {
    await actor.ok(['kill', 'committed']);
    await actor.ok(['wait', 'committed']);
    const id = await actor.ok(['commit', 'committed']);
    expect(await layers(id)).toEqual(await layers(MADE));
    expect(await layers(MADE)).toHaveLength((await layers(IMAGE)).length + 1);
  });

  it('refuses a file that would mean a removed one, by its name', async () => {
    await actor.ok(['start', 'committed']);
    await actor.ok(['exec', 'committed', 'touch', '/made/.wh.file']);
    const refused = await actor.run(['commit', 'committed']);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/Cannot commit committed: .*\/made\/\.wh\.file/);
  });

  it('saves a committed image so that skopeo and podman take it', async () => {
    await actor.ok(['save', '-o', 'saved.tar', MADE]);
    const run = (program: string, ...args: string[]): string =>
      execFileSync(program, args, { cwd: actor.directory, encoding: 'utf8' });
    run('skopeo', 'copy', '-q', 'docker-archive:saved.tar', 'oci:copied:it');
    const config = JSON.parse(run('skopeo', 'inspect', '--config', 'oci:copied:it'));
    expect(config).toMatchObject({ author: 'me', config: { Cmd: ['cat', '/made/link'] } });
    const storage = ['--root', 'p', '--runroot', 'r', '--storage-driver=vfs'];
    expect(run('podman', ...storage, 'load', '-q', '-i', 'saved.tar')).toContain(MADE);
  });
});
