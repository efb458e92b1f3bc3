// Disks that are not what the launch spec names. A superblock with one bit another:
// confidential-agent.test.ts; the tree's root and its upper blocks: device-mapper.test.ts.
import { readFileSync, truncateSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { flip, type HostedLayer, HostileHost, linesOf, ran, textOf } from './host.ts';

const BLOCK = 4096;
/** As many as a block of the tree has digests of. */
const FANOUT = 128;
/** A file of these has all blocks of at least one block of the tree. */
const BLOCKS = 3 * FANOUT;

let host: HostileHost;
beforeAll(async () => {
  host = await HostileHost.open();
});
afterAll(() => host?.leave());

/** No two blocks are alike, so that each is found on the disk. */
function content(name: string): Buffer {
  return Buffer.concat(
    Array.from({ length: BLOCKS }, (_, index) => {
      const block = Buffer.alloc(BLOCK, name);
      block.write(`\n${name} ${index}\n`);
      return block;
    }),
  );
}

/** Where a block of a file is on the disk. */
function placeOf(disk: Buffer, name: string, index: number): number {
  const at = disk.indexOf(`\n${name} ${index}\n`);
  expect(at % BLOCK, `${name} ${index}`).toBe(0);
  return at;
}

/**
 * Where the tree has the digests of 128 blocks that are all of one file; the topmost block lies
 * before all of them.
 */
function digestsOf(disk: Buffer, name: string, { named }: HostedLayer): number {
  expect(named.bytes / BLOCK).toBeLessThan(FANOUT * FANOUT);
  const first = placeOf(disk, name, 0) / BLOCK;
  return named.bytes + BLOCK + Math.ceil(first / FANOUT) * BLOCK;
}

const READ = 'cat /data/$f >/dev/null 2>/tmp-said && echo $f is whole || cat /tmp-said';
const SCRIPT = `for f in bytes tree whole; do ${READ}; done; exec sleep 1000`;
const IO_ERROR = 'cat: read error: Input/output error';

it('reads an I/O error instead of changed bytes of a layer or its hash tree', async () => {
  const names = ['bytes', 'tree', 'whole', 'later'];
  const files = Object.fromEntries(names.map((name) => [name, content(name)]));
  const layer = await host.layer('tampered', files);
  const disk = readFileSync(layer.path);
  await flip(layer.path, placeOf(disk, 'bytes', 200) + 2000);
  await flip(layer.path, digestsOf(disk, 'tree', layer) + 70);
  const admitted = textOf([layer], SCRIPT);
  const { guest } = await host.start({ disks: [layer.path], admitted });
  expect(await linesOf(guest, 'main', 3)).toEqual([IO_ERROR, IO_ERROR, 'whole is whole']);

  // A byte that changes while the box runs is no other than one that changed before.
  await flip(layer.path, placeOf(disk, 'later', 300) + 9);
  const later = await ran(guest, 'later', ['sh', '-c', 'cat /data/later >/dev/null']);
  expect(later).toEqual({ text: expect.stringContaining(IO_ERROR), exitCode: 1 });

  // Nothing of the guest goes to a disk as its memory, or as that of a process that crashed.
  const limits = await ran(guest, 'limits', ['sh', '-c', 'cat /proc/swaps; ulimit -c; ulimit -Hc']);
  expect(limits.text).toMatch(/^Filename[^\n]*\n0\n0\n$/);
});

it('refuses the disk of another box, and a truncated disk', async () => {
  const [one, other] = [await host.layer('one'), await host.layer('other')];
  const short = { ...one, path: join(host.root, 'short') };
  await copyFile(one.path, short.path);
  truncateSync(short.path, readFileSync(one.path).length - BLOCK);
  const pairs = [
    [one, other],
    [other, one],
    [one, short],
  ] as const;
  const all = await Promise.all(
    pairs.map(async ([named, given]) => {
      const admitted = textOf([named], 'echo here');
      const { vm, guest } = await host.launch({ disks: [given.path], admitted });
      const error = await guest.putLaunchSpec(admitted).catch((refused: unknown) => refused);
      return { error, reason: (await vm.exited).reason };
    }),
  );
  for (const refused of all) {
    expect(refused).toMatchObject({ error: { code: 'verity-mismatch' }, reason: 'poweroff' });
  }
});
