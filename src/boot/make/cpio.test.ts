import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type CpioEntry, cpio } from './cpio.ts';

const entries: CpioEntry[] = [
  { kind: 'file', path: 'init', mode: 0o755, data: Buffer.from('#!\n') },
  { kind: 'directory', path: 'dev', mode: 0o755 },
  { kind: 'character-device', path: 'dev/console', mode: 0o600, major: 5, minor: 1 },
];

test('writes equal archives for equal entries in any order', () => {
  expect(cpio([...entries].reverse())).toEqual(cpio(entries));
});

test('writes the header of the newc format', () => {
  const archive = cpio([{ kind: 'file', path: 'init', mode: 0o755, data: Buffer.from('abc') }]);
  expect(archive.toString('latin1', 0, 110)).toBe(
    `070701${[1, 0o100755, 0, 0, 1, 0, 3, 0, 0, 0, 0, 5, 0]
      .map((value) => value.toString(16).padStart(8, '0'))
      .join('')}`,
  );
  expect(archive.toString('latin1', 110, 120)).toBe('init\0\0abc\0');
  expect(archive.length % 512).toBe(0);
  expect(archive.toString('latin1')).toContain('TRAILER!!!');
});

test.each([
  ['/init', 'no plain relative path'],
  ['a/../b', 'no plain relative path'],
  ['TRAILER!!!', 'no plain relative path'],
  ['init', 'there twice'],
  ['lib/x', 'lib is no directory'],
])('refuses the cpio entry %s', (path, message) => {
  const extra: CpioEntry = { kind: 'file', path, mode: 0o644, data: Buffer.alloc(0) };
  expect(() => cpio([...entries, extra])).toThrow(message);
});

test('writes an archive that busybox cpio reads', () => {
  const directory = mkdtempSync(join(tmpdir(), 'cpio-'));
  try {
    const files = entries.filter(({ kind }) => kind !== 'character-device');
    // busybox is installed, since the image of the quickstart is made from it.
    execFileSync('busybox', ['cpio', '-idm'], {
      cwd: directory,
      input: cpio(files),
      stdio: 'pipe',
    });
    expect(execFileSync('cat', [join(directory, 'init')]).toString()).toBe('#!\n');
    const listed = execFileSync('busybox', ['cpio', '-tv'], {
      input: cpio(entries),
      stdio: 'pipe',
    });
    expect(listed.toString()).toMatch(/^crw-------.* dev\/console$/m);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
