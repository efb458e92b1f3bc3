import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bindPaths, checkDestinations, recordSources } from './binds.ts';

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'a3s-binds-'));
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

const bind = (source: string) => bindPaths([{ source, destination: '/d', readonly: true }]);

describe('a bind source', () => {
  it('creates a missing bind source as a directory', async () => {
    const source = join(root, 'a/b');
    const { shares, mounts } = await bind(source);
    expect(statSync(source).isDirectory()).toBe(true);
    expect(shares).toEqual([{ tag: 'bind-0', path: source, readonly: true }]);
    expect(mounts).toEqual([
      { kind: 'virtiofs', tag: 'bind-0', destination: '/d', readonly: true },
    ]);
  });

  it('accepts a file as a bind source', async () => {
    const source = join(root, 'file');
    writeFileSync(source, 'x');
    expect((await bind(source)).mounts[0]).toHaveProperty('file');
  });

  it('refuses a bind source that cannot be created or shared', async () => {
    await expect(bind('/proc/nowhere/at/all')).rejects.toMatchObject({
      code: 'bind-source-missing',
      message: 'Cannot bind /proc/nowhere/at/all: it does not exist, and cannot be made',
    });
    await expect(bind('/dev/null')).rejects.toMatchObject({ code: 'unsupported-option' });
  });
});

describe('bind-recursive', () => {
  const without = (source: string, below: 'disabled' | 'writable') =>
    bindPaths([
      { source, destination: '/d', readonly: true, long: { createMountpoint: false, below } },
    ]);

  it.each(['disabled', 'writable'] as const)(
    'shares a source without mounts below it: %s',
    async (below) => {
      expect((await without(root, below)).shares).toHaveLength(1);
    },
  );

  it.each(['disabled', 'writable'] as const)(
    'refuses a source with mounts below it: %s',
    async (below) => {
      await expect(without('/', below)).rejects.toMatchObject({
        code: 'unsupported-option',
        message: expect.stringMatching(
          new RegExp(`^Cannot mount / with bind-recursive=${below}: something .* at /.+, and`),
        ),
      });
    },
  );
});

describe('a bind source at a later start', () => {
  const recorded = (source: string) =>
    recordSources([{ source, destination: '/d', readonly: false }]);
  const changed = { code: 'bind-source-changed' };

  it('resolves links of a bind source at creation, and keeps missing parts', async () => {
    const target = join(root, 'target');
    mkdirSync(target);
    symlinkSync(target, join(root, 'link'));
    const [bind] = await recorded(join(root, 'link'));
    expect(bind).toMatchObject({ source: join(root, 'link'), realPath: target });
    const { shares } = await bindPaths(bind === undefined ? [] : [bind]);
    expect(shares).toEqual([{ tag: 'bind-0', path: target, readonly: false, resolved: true }]);
    const missing = await recorded(join(root, 'link/a/b'));
    expect(missing).toMatchObject([{ realPath: join(target, 'a/b') }]);
    await bindPaths(missing);
    await bindPaths(missing);
    expect(statSync(join(target, 'a/b')).isDirectory()).toBe(true);
  });

  it('refuses a bind source that its owner has replaced with a link', async () => {
    const source = join(root, 'mine');
    mkdirSync(source);
    const binds = await recorded(source);
    renameSync(source, join(root, 'aside'));
    mkdirSync(join(root, 'secret'));
    symlinkSync(join(root, 'secret'), source);
    await expect(bindPaths(binds)).rejects.toMatchObject(changed);
    rmSync(source);
    renameSync(join(root, 'aside'), source);
    expect((await bindPaths(binds)).shares).toHaveLength(1);
  });

  it('refuses a bind source with a new link in a parent, and creates nothing there', async () => {
    const binds = await recorded(join(root, 'above/mine'));
    mkdirSync(join(root, 'secret'));
    symlinkSync(join(root, 'secret'), join(root, 'above'));
    await expect(bindPaths(binds)).rejects.toMatchObject(changed);
    expect(existsSync(join(root, 'secret/mine'))).toBe(false);
  });

  it('refuses a bind source with circular links', async () => {
    symlinkSync(join(root, 'b'), join(root, 'a'));
    symlinkSync(join(root, 'a'), join(root, 'b'));
    await expect(recorded(join(root, 'a'))).rejects.toMatchObject({ code: 'bind-source-missing' });
  });

  it('uses a bind source as it is when an older record has no resolved path', async () => {
    symlinkSync(root, join(root, 'link'));
    const source = join(root, 'link');
    expect((await bind(source)).shares).toEqual([{ tag: 'bind-0', path: source, readonly: true }]);
  });
});

describe('a bind destination', () => {
  const check = (...destinations: string[]): void =>
    checkDestinations(
      destinations.map((destination) => ({ source: '/etc', destination, readonly: true })),
    );
  const invalid = expect.objectContaining({ code: 'invalid-argument' });

  it.each([
    ...['/proc', '//proc', '/proc/', '/x/../proc', '/proc/sys/kernel', '/./proc/1'],
    ...['/sys', '/sys/fs/cgroup', '/dev', '/dev/', '/dev/pts', '/dev/null', '/dev/shm/../pts', '/'],
  ])('refuses to bind to %s, where the box has mounts of its own', (destination) => {
    expect(() => check(destination)).toThrow(invalid);
  });

  it.each(['/dev/shm', '/dev/shm/x', '/process', '/systems', '/device', '/etc/proc', '/run'])(
    'allows binding to %s',
    (destination) => expect(() => check(destination)).not.toThrow(),
  );

  it('refuses to bind one destination twice, however it is written', () => {
    expect(() => check('/x', '/y')).not.toThrow();
    expect(() => check('/x', '//x/')).toThrow(invalid);
  });
});
