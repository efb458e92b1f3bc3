import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { spawnInJail } from '../../jail/spawn.ts';
import type { Digest } from '../../oci/digest.ts';
import { DiskBudget } from '../disk-budget.ts';
import { DEFAULT_LIMITS } from '../limits.ts';
import { streamed } from '../testing/streams.ts';
import { type TarFile, writeTar } from '../testing/tar-writer.ts';
import { convertLayers } from './convert.ts';

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'a3s-bytes-'));
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

const FILES: readonly TarFile[] = [
  { path: 'd', type: 'directory', mode: 0o1777, uid: 1, gid: 2, mtime: 1_700_000_000 },
  { path: 'd/f', data: 'x'.repeat(10_000), mtime: 1_700_000_001, xattrs: { 'user.a': 'b' } },
  { path: 'd/empty', uid: 4_294_967_294, gid: 4_294_967_294 },
  { path: 'd/linked', type: 'hardlink', target: 'd/f' },
  { path: 'l', type: 'symlink', target: 'd/f' },
  { path: 'null', type: 'character', device: { major: 1, minor: 3 } },
  { path: '.wh.gone', data: '' },
];

async function convert(name: string, tar: Buffer, blob: Buffer): Promise<string> {
  const path = join(root, name);
  const file = await open(path, 'w');
  const diffId: Digest = `sha256:${sha256(tar)}`;
  const layer = { diffId, size: blob.length, open: () => streamed(blob, 77) };
  const options = { limits: DEFAULT_LIMITS, spawn: spawnInJail };
  try {
    const source = { layers: [layer], below: undefined };
    expect(await convertLayers(source, file, new DiskBudget(root, 1 << 30), options)).toBe(true);
  } finally {
    await file.close();
  }
  return path;
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/**
 * The root hash of a confidential box: SHA-256, blocks of 4096, the diff ID's digest as salt, no
 * superblock.
 */
function verityRoot(path: string, diffId: string): string {
  const output = execFileSync(
    'veritysetup',
    [
      ...['format', '--no-superblock', '--hash=sha256', '--data-block-size=4096'],
      ...['--hash-block-size=4096', `--salt=${sha256(Buffer.from(diffId))}`],
      ...[path, `${path}.tree`],
    ],
    { encoding: 'utf8' },
  );
  return /^Root hash:\s+([0-9a-f]{64})$/m.exec(output)?.[1] ?? 'none';
}

// Existing stores have disks with these values: a change of them needs another format version in
// disks.ts.
describe('deterministic layers', () => {
  it('writes the same disk of a layer on any machine and day, however the layer is compressed', async () => {
    const tar = writeTar(FILES);
    const plain = await convert('plain', tar, tar);
    const gzipped = await convert('gzipped', tar, gzipSync(tar, { level: 1 }));
    expect(sha256(readFileSync(gzipped))).toBe(sha256(readFileSync(plain)));
    expect(sha256(readFileSync(plain))).toBe(
      '4beb88b6c07a59cc714ed6c3614bbbd632dd88ed2c90de44daae32bffc02842f',
    );
    expect(verityRoot(plain, `sha256:${sha256(tar)}`)).toBe(
      '7bb2d622faf3873a80405aa30e5c845decc691e3e6a01f0d9f0d68d932c8c0cf',
    );
  });
});
