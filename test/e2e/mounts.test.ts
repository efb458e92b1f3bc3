import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Actor } from './actor.ts';
import { BUSYBOX, type Installation, install } from './installation.ts';

let installation: Installation;
let actor: Actor;
beforeAll(async () => {
  installation = await install();
  actor = new Actor('root', installation);
  await actor.prepare();
  await actor.load('busybox');
});
afterAll(async () => {
  await actor.leave();
  expect(actor.remains()).toEqual([]);
  installation.remove();
});

/** Where the one volume is mounted, many times over. */
const PLACES = Array.from({ length: 20 }, (_, index) => `/many/${index}`);

const SHOW = `
grep -E ' /(run|cache|half|dev/shm) ' /proc/mounts | cut -d ' ' -f 2-4 | sed 's/,inode64//'
stat -c '%a %n' /run /half
cp /bin/busybox /run/true && /run/true && echo runs
echo x 2>/dev/null > /x || echo 'the root is read-only'
echo x 2>/dev/null > /etc/hosts || echo 'so is /etc/hosts'
echo x > /dev/shm/x && echo x > /cache/x && echo x > /many/7/x && cat /many/19/x
ls /part
df -k / | tail -n 1 | awk '{ print ($2 < 70000) ? "small" : "large" }'
ls /half | wc -l
dd if=/dev/zero of=/half/full bs=1M 2>/dev/null || echo $(($(stat -c %s /half/full) / 1048576))`;

const SHOWN = [
  '/dev/shm tmpfs rw,nosuid,nodev,noexec,relatime,size=1024k',
  '/run tmpfs rw,nosuid,nodev,relatime,size=4096k,mode=750',
  '/half tmpfs rw,nosuid,nodev,noexec,relatime,size=49152k',
  '/cache tmpfs rw,nosuid,nodev,noexec,relatime,size=64k',
  '750 /run',
  '1777 /half',
  'runs',
  'the root is read-only',
  'so is /etc/hosts',
  'x',
  'there',
  'small',
  '0',
  '48',
];

describe('the mounts of a box', () => {
  it('a box has filesystems in memory, a read-only root and twenty volumes, also when it starts again', async () => {
    const place = await actor
      .ok(['volume', 'create', 'many'])
      .then(async () =>
        (await actor.ok(['volume', 'inspect', '-f', '{{.Mountpoint}}', 'many'])).trim(),
      );
    mkdirSync(join(place, 'a/b'), { recursive: true });
    writeFileSync(join(place, 'a/b/there'), '');
    await actor.ok([
      ...['run', '-d', '--name', 'all', '--network', 'none', '-m', '96m', '--read-only'],
      ...['--tmpfs', '/run:size=4m,mode=750,exec', '--tmpfs', '/half', '--shm-size', '1m'],
      ...['--mount', 'type=tmpfs,dst=/cache,tmpfs-size=64k', '--storage-opt', 'size=64m'],
      ...['--mount', 'type=volume,src=many,dst=/part,volume-subpath=a/b'],
      ...PLACES.flatMap((path) => ['-v', `many:${path}`]),
      ...[BUSYBOX, 'sleep', '1000'],
    ]);
    const show = async (): Promise<string[]> =>
      (await actor.ok(['exec', 'all', 'sh', '-c', SHOW])).trim().split('\n');
    expect((await show()).sort()).toEqual([...SHOWN].sort());
    // What is in memory counts towards the box's memory.
    const used = await actor.ok(['stats', '--no-stream', '--format', '{{.MemUsage}}', 'all']);
    expect(Number.parseFloat(used)).toBeGreaterThan(48);
    await actor.ok(['restart', '-t', '0', 'all']);
    expect((await show()).sort()).toEqual([...SHOWN].sort());
    await actor.ok(['rm', '-f', 'all']);
  });
});
