import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { A3sError } from '../../errors.ts';
import { spawnInJail } from '../../jail/spawn.ts';
import { expandArchive } from './expand-archive.ts';

const tar = Buffer.concat([
  Buffer.alloc(300_000, 'an archive, as far as it matters here'),
  randomBytes(5000),
]);
const compress = (tool: string, input = tar) => execFileSync(tool, ['-c', '-q'], { input });

/** In pieces, as they come from a socket. */
async function* pieces(bytes: Buffer, size = 1000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function expand(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of expandArchive(source)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const SKIPPABLE = Buffer.from('502a4d1803000000616263', 'hex');

it.each([
  ['xz', compress('xz')],
  [
    'xz, in two streams',
    Buffer.concat([compress('xz', tar.subarray(0, 999)), compress('xz', tar.subarray(999))]),
  ],
  ['zstd', compress('zstd')],
  ['zstd, after a frame to skip', Buffer.concat([SKIPPABLE, compress('zstd')])],
  ['nothing', tar],
])('expands an archive that was compressed with %s', async (_, bytes) => {
  expect((await expand(pieces(bytes))).equals(tar)).toBe(true);
  expect((await expand(pieces(bytes, 1))).equals(tar)).toBe(true);
});

it.each([
  ['gzip', gzipSync(tar)],
  ['bzip2', Buffer.from('BZh91AY&SY')],
  ['an empty one', Buffer.alloc(0)],
  ['one that is shorter than what tells', Buffer.from('fd37', 'hex')],
])('leaves other archives to the agent: %s', async (_, bytes) => {
  expect((await expand(pieces(bytes))).equals(bytes)).toBe(true);
});

describe.each(['xz', 'zstd'])('%s', (tool) => {
  const whole = compress(tool);
  const flipped = Buffer.from(whole);
  flipped[whole.length >> 1] = (flipped[whole.length >> 1] ?? 0) ^ 0xff;

  it.each([
    ['that ends too early', whole.subarray(0, -1000), /data ends too early/],
    ['that is damaged', flipped, /data is damaged/],
    [
      'with other bytes after it',
      Buffer.concat([whole, Buffer.from('other bytes, and some more')]),
      /data is damaged/,
    ],
  ])('refuses an archive %s', async (_, bytes, message) => {
    await expect(expand(pieces(bytes))).rejects.toMatchObject({
      ...{ code: 'invalid-argument', message: expect.stringMatching(message) },
      remedy: expect.stringContaining('Compress it again'),
    });
  });

  it('says why its source broke off', async () => {
    async function* broken() {
      yield whole.subarray(0, 1000);
      throw new Error('the client is gone');
    }
    await expect(expand(broken())).rejects.toThrow('the client is gone');
  });

  it('ends the decoder where nothing more is read of an endless archive', async () => {
    let ended = false;
    async function* endless() {
      try {
        for (;;) yield whole;
      } finally {
        ended = true;
      }
    }
    const programs: { exitCode: number | null; signalCode: string | null }[] = [];
    const expanded = expandArchive(endless(), async (program) => {
      const child = await spawnInJail(program);
      programs.push(child);
      return child;
    });
    for await (const _ of expanded) break;
    await expect.poll(() => ended).toBe(true);
    // It is killed, unless it ends first because nobody reads what it writes.
    expect(programs.map(({ exitCode, signalCode }) => signalCode ?? exitCode)).toEqual([
      expect.toSatisfy((end: unknown) => end !== null && end !== 0),
    ]);
  });
});

it('refuses a window that would take more memory than is allowed', async () => {
  const large = execFileSync('zstd', ['-c', '-q', '--ultra', '-1', '--long=28'], { input: tar });
  await expect(expand(pieces(large))).rejects.toThrow(/needs more than 128MiB of memory/);
  const xz = execFileSync('xz', ['-c', '-q', '--lzma2=preset=0,dict=256MiB'], { input: tar });
  await expect(expand(pieces(xz))).rejects.toThrow(/needs more than 128MiB of memory/);
});

it('ends the source where the program is not installed', async () => {
  const missing = new A3sError('tool-missing', 'Cannot find xz', {
    remedy: 'Install it: apt-get install xz-utils',
  });
  const source = pieces(compress('xz'));
  const expanded = expandArchive(source, () => Promise.reject(missing));
  await expect(expanded.next()).rejects.toBe(missing);
  expect(await source.next()).toEqual({ done: true, value: undefined });
});
