import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Actor, ANY_ACTOR } from './actor.ts';
import { BUSYBOX, type Installation, install } from './installation.ts';

let installation: Installation;
beforeAll(async () => {
  installation = await install();
});
afterAll(() => installation.remove());

/** Each test goes on with the boxes and snapshots of those before it. */
describe.each(ANY_ACTOR)('disk snapshots of %s', (name) => {
  let actor: Actor;
  beforeAll(async () => {
    actor = new Actor(name, installation);
    await actor.prepare();
    const box = ['--name', 'source', '--network', 'none', '-v', 'data:/volume'];
    await actor.ok(['run', '-d', ...box, BUSYBOX, 'sleep', '100000']);
  });
  afterAll(async () => {
    await actor.leave();
    expect(actor.remains()).toEqual([]);
  });

  const sh = (box: string, script: string) => actor.ok(['exec', box, 'sh', '-c', script]);
  const snapshots = () => actor.ok(['snapshot', 'ls', '--format', '{{.Name}} {{.Kind}}']);

  it('disk snapshots have what a running box has written, also what is not on its disk yet', async () => {
    await sh('source', 'mkdir /made; echo first > /made/file; head -c 3000000 /dev/urandom > /big');
    const sum = await sh('source', 'md5sum < /big');
    await actor.ok(['snapshot', 'create', '--name', 'first', 'source']);
    await sh('source', 'echo second > /made/file; rm /big');
    await actor.ok(['run', '-d', '--name', 'copy', '--from-snapshot', 'first']);
    expect(await sh('copy', 'cat /made/file; md5sum < /big')).toBe(`first\n${sum}`);
    await sh('copy', 'echo of the copy > /made/file; echo shared > /volume/file');
    expect(await sh('source', 'cat /made/file /volume/file')).toBe('second\nshared');
    expect(await snapshots()).toBe('first disk');
  });

  it('disk snapshots are taken of a stopped box, which gets the disk of any of them back', async () => {
    expect((await actor.run(['snapshot', 'restore', 'first'])).stderr).toContain('Stop it first');
    await actor.ok(['stop', '-t', '0', 'source']);
    await actor.ok(['snapshot', 'create', '--name', 'second', 'source']);
    for (const snapshot of ['first', 'second', 'first']) {
      await actor.ok(['snapshot', 'restore', snapshot]);
      await actor.ok(['start', 'source']);
      expect(await sh('source', 'cat /made/file')).toBe(snapshot);
      await sh('source', 'echo lost > /made/file; sync');
      await actor.ok(['kill', 'source']);
    }
  });

  it('disk snapshots leave the boxes with their disks when they are removed, and no file behind', async () => {
    await actor.ok(['snapshot', 'rm', 'first', 'second']);
    expect(await snapshots()).toBe('');
    expect(await sh('copy', 'cat /made/file')).toBe('of the copy');
    await actor.ok(['start', 'source']);
    expect(await sh('source', 'cat /made/file')).toBe('lost');
    await actor.ok(['rm', '-f', 'source', 'copy']);
    for (const directory of ['snapshots', 'boxes']) {
      expect(readdirSync(join(actor.home, directory))).toEqual([]);
    }
  });
});
