import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bindPaths, checkDestinations } from './binds.ts';

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'a3s-binds-'));
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

const bind = (source: string) => bindPaths([{ source, destination: '/d', readonly: true }]);

describe('a path of the host that a box binds', () => {
  it('is made a directory where it is missing', async () => {
    const source = join(root, 'a/b');
    const { shares, mounts } = await bind(source);
    expect(statSync(source).isDirectory()).toBe(true);
    expect(shares).toEqual([{ tag: 'bind-0', path: source, readonly: true }]);
    expect(mounts).toEqual([
      { kind: 'virtiofs', tag: 'bind-0', destination: '/d', readonly: true },
    ]);
  });

  it('may be a file', async () => {
    const source = join(root, 'file');
    writeFileSync(source, 'x');
    expect((await bind(source)).mounts[0]).toHaveProperty('file');
  });

  it('is refused where nothing can be made of it', async () => {
    await expect(bind('/proc/nowhere/at/all')).rejects.toMatchObject({
      code: 'bind-source-missing',
      message: 'Cannot bind /proc/nowhere/at/all: it does not exist, and cannot be made',
    });
    await expect(bind('/dev/null')).rejects.toMatchObject({ code: 'unsupported-option' });
  });
});

describe('a path in the box that something is bound to', () => {
  const check = (...destinations: string[]): void =>
    checkDestinations(
      destinations.map((destination) => ({ source: '/etc', destination, readonly: true })),
    );
  const invalid = expect.objectContaining({ code: 'invalid-argument' });

  it.each([
    ...['/proc', '//proc', '/proc/', '/x/../proc', '/proc/sys/kernel', '/./proc/1'],
    ...['/sys', '/sys/fs/cgroup', '/dev', '/dev/', '/dev/pts', '/dev/null', '/dev/shm/../pts', '/'],
  ])('is not %s, where the box has mounts of its own', (destination) => {
    expect(() => check(destination)).toThrow(invalid);
  });

  it.each(['/dev/shm', '/dev/shm/x', '/process', '/systems', '/device', '/etc/proc', '/run'])(
    'may be %s',
    (destination) => expect(() => check(destination)).not.toThrow(),
  );

  it('is not bound twice, however it is written', () => {
    expect(() => check('/x', '/y')).not.toThrow();
    expect(() => check('/x', '//x/')).toThrow(invalid);
  });
});
