import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildImage, dockerArchive } from '../images/build-image.ts';
import { Actor, ANY_ACTOR } from './actor.ts';
import { BUSYBOX, type Installation, install } from './installation.ts';

let installation: Installation;
beforeAll(async () => {
  installation = await install();
});
afterAll(() => installation.remove());

/** Two layers, of which the upper one removes a file; its tools are no part of the box's image. */
const TOOLS = 'test/tools:1';
const image = () =>
  buildImage({
    name: TOOLS,
    layers: [
      [
        { path: 'opt/tools/busybox', mode: 0o755, data: readFileSync('/bin/busybox') },
        { path: 'opt/tools/gone', data: 'gone\n' },
        { path: 'opt/tools/text', data: 'lower\n', uid: 7, gid: 8 },
        { path: 'tools', type: 'symlink', target: '/opt/tools' },
      ],
      [
        { path: 'opt/tools/.wh.gone', data: '' },
        { path: 'opt/tools/text', data: 'upper\n', uid: 7, gid: 8 },
      ],
    ],
    config: {},
  });

const SHOW = `
ls /tools
ls /all
stat -c '%u:%g %n' /tools/text
cat /all/opt/tools/text /text
/tools/busybox echo it runs
touch /tools/new 2>/dev/null || echo 'nobody writes'
rm /all/opt/tools/text 2>/dev/null || echo 'nobody removes'
grep -c ' ro,nodev' /proc/mounts`;

const SHOWN = `busybox
text
opt
tools
7:8 /tools/text
upper
upper
it runs
nobody writes
nobody removes
3
`;

describe.each(ANY_ACTOR)('a box of %s', (name) => {
  let actor: Actor;
  beforeAll(async () => {
    actor = new Actor(name, installation);
    await actor.prepare();
    const archive = join(actor.directory, 'tools.tar');
    writeFileSync(archive, dockerArchive([image()]));
    await actor.ok(['load', '--quiet', '--input', archive]);
  });
  afterAll(async () => {
    await actor.leave();
    expect(actor.remains()).toEqual([]);
  });

  it('mounts another image, and parts of it, read-only, at every start', async () => {
    const mount = (...more: string[]) => ['--mount', `type=image,src=${TOOLS},${more.join(',')}`];
    await actor.ok([
      ...['run', '-d', '--name', 'with', '--network', 'none', ...mount('dst=/all')],
      ...[...mount('dst=/tools', 'image-subpath=tools')],
      ...[...mount('dst=/text', 'image-subpath=opt/tools/text'), BUSYBOX, 'sleep', '1000'],
    ]);
    const show = async () => (await actor.run(['exec', 'with', 'sh', '-c', SHOW])).stdout;
    expect(await show()).toContain(SHOWN);
    expect((await actor.run(['rmi', TOOLS])).stderr).toContain('image-in-use');
    await actor.ok(['restart', '-t', '0', 'with']);
    expect(await show()).toContain(SHOWN);
    // A microVM of its own reads the files of a box that does not run.
    await actor.ok(['stop', '-t', '0', 'with']);
    const copied = await actor.run(['cp', 'with:/tools/text', '-']);
    expect(copied.stdout).toContain('upper\n');
    expect(await actor.ok(['diff', 'with'])).not.toContain('busybox');
    await actor.ok(['rm', 'with']);
    await actor.ok(['rmi', TOOLS]);
  });

  it('does not start with a part that the image does not have', async () => {
    const archive = join(actor.directory, 'tools.tar');
    await actor.ok(['load', '--quiet', '--input', archive]);
    const mount = ['--mount', `type=image,src=${TOOLS},dst=/x,image-subpath=none`];
    const run = await actor.run(['run', '--rm', '--network', 'none', ...mount, BUSYBOX, 'true']);
    expect(run.code).toBe(125);
    expect(run.stderr).toContain('image at /x');
  });
});
