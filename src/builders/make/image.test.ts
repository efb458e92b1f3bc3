import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { writeImage } from './image.ts';

let work: string;
beforeEach(() => {
  work = mkdtempSync(join(tmpdir(), 'layout-'));
});
afterEach(() => rmSync(work, { recursive: true }));

/** The same files, made in another order, at another time, with other permissions. */
function makeRoot(name: string, files: readonly string[], mode: number, seconds: number): string {
  const root = join(work, name);
  mkdirSync(join(root, 'usr'), { recursive: true });
  for (const file of files) {
    writeFileSync(join(root, 'usr', file), `content of ${file}`);
    chmodSync(join(root, 'usr', file), file === 'program' ? mode | 0o100 : mode);
    utimesSync(join(root, 'usr', file), seconds, seconds);
  }
  symlinkSync('usr', join(root, 'bin'));
  return root;
}

it('writes equal bytes for equal roots, as an OCI layout with a name', async () => {
  const one = makeRoot('one', ['a', 'program', 'b'], 0o600, 1000);
  const other = makeRoot('other', ['program', 'b', 'a'], 0o644, 2000);
  const first = await writeImage(one, join(work, 'first'), 'localhost/a3s-box/builder:1');
  const second = await writeImage(other, join(work, 'second'), 'localhost/a3s-box/builder:1');
  expect(second).toEqual(first);
  const index = JSON.parse(readFileSync(join(work, 'first/index.json'), 'utf8'));
  expect(index.manifests).toMatchObject([
    {
      digest: first.manifestDigest,
      annotations: { 'io.containerd.image.name': 'localhost/a3s-box/builder:1' },
    },
  ]);
  const blob = (digest: string): string => join(work, 'first/blobs', digest.replace(':', '/'));
  const manifest = JSON.parse(readFileSync(blob(first.manifestDigest), 'utf8'));
  const listed = execFileSync('tar', ['-tvf', blob(manifest.layers[0].digest)], {
    encoding: 'utf8',
    env: { ...process.env, TZ: 'UTC' },
  });
  expect(listed).toMatch(/^-rwxr-xr-x 0\/0 +\d+ 1970-01-01 00:00 \.\/usr\/program$/m);
  expect(listed).toMatch(/^-rw-r--r-- 0\/0 +\d+ 1970-01-01 00:00 \.\/usr\/a$/m);
});
