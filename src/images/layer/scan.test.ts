import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { A3sError } from '../../errors.ts';
import { ByteReader } from '../byte-reader.ts';
import { DEFAULT_LIMITS, type Limits } from '../limits.ts';
import { streamed } from '../testing/streams.ts';
import { type TarFile, writeTar } from '../testing/tar-writer.ts';
import { type DirectoryNode, implicitDirectory, mergeOver, type Node } from '../tree/tree.ts';
import { LayerBudget, scanLayer } from './scan.ts';

function scan(files: readonly TarFile[], limits: Partial<Limits> = {}): Promise<DirectoryNode> {
  const budget = new LayerBudget({ ...DEFAULT_LIMITS, ...limits });
  return scanLayer(new ByteReader(streamed(writeTar(files)), 'the layer'), 0, budget);
}

function at(root: DirectoryNode, path: string): Node | undefined {
  let node: Node | undefined = root;
  for (const part of path.split('/')) {
    node = node?.kind === 'directory' ? node.children.get(part) : undefined;
  }
  return node;
}

const directory = (path: string, mode = 0o755): TarFile => ({ path, type: 'directory', mode });
const link = (path: string, target: string): TarFile => ({ path, type: 'symlink', target });

describe('invalid layers', () => {
  it.each<[string, TarFile[], string]>([
    ['a name that leads upwards', [{ path: '../x' }], 'upwards'],
    ['a name that leads upwards in the middle', [{ path: 'a/../../x' }], 'upwards'],
    ['a name that leads upwards and stays inside', [{ path: 'a/../x' }], 'upwards'],
    ['an absolute name that leads upwards', [{ path: '/../x' }], 'upwards'],
    ['a name of 256 bytes', [{ path: 'x'.repeat(256) }], 'longer'],
    [
      'a write through a link',
      [link('etc', '/host/etc'), { path: 'etc/passwd' }],
      'through a symbolic link',
    ],
    [
      'a write through a link to a directory of the layer',
      [directory('usr'), link('lib', 'usr'), { path: 'lib/x' }],
      'through a symbolic link',
    ],
    [
      'a whiteout through a link',
      [link('etc', '/host/etc'), { path: 'etc/.wh.passwd' }],
      'through a symbolic link',
    ],
    ['a write below a file', [{ path: 'a' }, { path: 'a/b' }], 'below a file'],
    [
      'a hard link that leads upwards',
      [{ path: 'h', type: 'hardlink', target: '../../etc/shadow' }],
      'upwards',
    ],
    [
      'a hard link to a file outside of the layer',
      [{ path: 'h', type: 'hardlink', target: '/etc/shadow' }],
      'not before it',
    ],
    [
      'a hard link through a link',
      [link('d', '/etc'), { path: 'h', type: 'hardlink', target: 'd/shadow' }],
      'not before it',
    ],
    [
      'a hard link to a directory',
      [directory('d'), { path: 'h', type: 'hardlink', target: 'd' }],
      'a directory',
    ],
    ['a link without target', [link('l', '')], 'no usable target'],
    ['a root that is no directory', [link('./', '/')], 'root is not a directory'],
    ['a whiteout of nothing', [{ path: '.wh.' }], 'names nothing'],
    ['a whiteout of the parent', [{ path: 'a/.wh...' }], 'names nothing'],
    ['a file below a whiteout', [{ path: '.wh.a/b' }], 'below a whiteout'],
    [
      'an impossible device number',
      [{ path: 'd', type: 'block', device: { major: 4096, minor: 0 } }],
      'device number',
    ],
    ['an impossible owner', [{ path: 'f', uid: 4_294_967_295 }], 'impossible owner'],
    [
      'capabilities of a wrong size',
      [{ path: 'f', xattrs: { 'security.capability': 'short' } }],
      'malformed',
    ],
    [
      'attributes that are too large',
      [{ path: 'f', xattrs: { 'user.a': 'x'.repeat(40_000), 'user.b': 'x'.repeat(40_000) } }],
      'too large',
    ],
  ])('refuses a layer with %s', async (_, files, message) => {
    await expect(scan(files)).rejects.toMatchObject({
      code: 'invalid-image',
      message: expect.stringContaining(message),
    });
  });

  it.each<[string, TarFile[], Partial<Limits>]>([
    ['too many files', [{ path: 'a' }, { path: 'b' }, { path: 'c' }], { layerEntries: 2 }],
    ['too much text in names', [{ path: 'a'.repeat(90) }], { layerNameBytes: 80 }],
    ['too much data', [{ path: 'a', data: 'x'.repeat(90) }], { layerBytes: 80 }],
    [
      'a hole larger than any disk',
      [{ path: 'a', pax: { 'GNU.sparse.map': '0,0', 'GNU.sparse.size': '1000000000000000' } }],
      {},
    ],
  ])('refuses a layer above its limits: %s', async (_, files, limits) => {
    await expect(scan(files, limits)).rejects.toMatchObject({ code: 'too-large' });
  });
});

describe('accepted layers', () => {
  it('accepts absolute names in a layer as names below the root of the box', async () => {
    const root = await scan([{ path: '/etc/passwd', data: 'x' }]);
    expect(at(root, 'etc/passwd')).toMatchObject({ kind: 'file', size: 1 });
  });

  it('accepts attributes that overlayfs interprets, and drops them', async () => {
    const root = await scan([
      {
        path: 'f',
        xattrs: {
          'trusted.overlay.redirect': '/etc',
          'trusted.overlay.opaque': 'y',
          'trusted.other': 'x',
          'user.overlay.redirect': '/etc',
          'security.selinux': 'x',
          'security.capability': Buffer.alloc(20, 1),
          'user.kept': 'kept',
          'system.posix_acl_access': 'x',
        },
      },
    ]);
    const node = at(root, 'f');
    if (node?.kind !== 'file') expect.fail();
    expect([...node.attributes.xattrs.keys()]).toEqual(['security.capability', 'user.kept']);
  });

  it('accepts a 0/0 character device in a layer as a whiteout', async () => {
    const root = await scan([{ path: 'd', type: 'character', device: { major: 0, minor: 0 } }]);
    expect(at(root, 'd')).toEqual({ kind: 'whiteout' });
  });

  it('accepts device nodes in a layer', async () => {
    const root = await scan([{ path: 'sda', type: 'block', device: { major: 8, minor: 0 } }]);
    expect(at(root, 'sda')).toMatchObject({ kind: 'block', major: 8, minor: 0 });
  });
});

describe('scanLayer', () => {
  it('replaces an earlier entry by a later one, and keeps the old file under its hard links', async () => {
    const root = await scan([
      { path: 'd/f', data: 'one' },
      { path: 'h', type: 'hardlink', target: 'd/f' },
      { path: 'd/f', data: 'three' },
      { path: 'e/x', data: 'x' },
      link('e', 'd'),
    ]);
    expect(at(root, 'd/f')).toMatchObject({ size: 5 });
    expect(at(root, 'h')).toMatchObject({ size: 3 });
    expect(at(root, 'e')).toMatchObject({ kind: 'symlink' });
  });

  it('applies whiteouts to lower layers only, wherever they are in the archive', async () => {
    const root = await scan([
      { path: '.wh.gone' },
      { path: 'kept' },
      { path: '.wh.kept' },
      { path: '.wh.dir' },
      directory('dir'),
      { path: 'opaque/.wh..wh..opq' },
      { path: '.wh..wh.plnk' },
    ]);
    expect(at(root, 'gone')).toEqual({ kind: 'whiteout' });
    expect(at(root, 'kept')).toMatchObject({ kind: 'file' });
    expect(at(root, 'dir')).toMatchObject({ kind: 'directory', opaque: true });
    expect(at(root, 'opaque')).toMatchObject({ opaque: true });
    expect([...root.children.keys()].sort()).toEqual(['dir', 'gone', 'kept', 'opaque']);
  });

  it('merges layers as overlayfs does', async () => {
    const root = implicitDirectory();
    const layers = [
      [directory('d', 0o700), { path: 'd/a' }, { path: 'd/b' }, { path: 'f' }, { path: 'o/x' }],
      [{ path: 'd/.wh.a' }, { path: 'f/now', data: 'a directory' }, { path: 'd/c' }],
      [{ path: 'o/.wh..wh..opq' }, { path: 'o/y' }, link('d/b', 'c')],
    ];
    for (const files of layers) mergeOver(root, await scan(files));
    expect(at(root, 'd')).toMatchObject({ attributes: { mode: 0o700 } });
    expect(at(root, 'd/a')).toBeUndefined();
    expect(at(root, 'd/b')).toMatchObject({ kind: 'symlink' });
    expect(at(root, 'd/c')).toMatchObject({ kind: 'file' });
    expect(at(root, 'f/now')).toMatchObject({ kind: 'file' });
    expect(at(root, 'o/x')).toBeUndefined();
    expect(at(root, 'o')).toMatchObject({ opaque: false });
  });

  it(
    'scans any entries to a tree without upward names, or refuses them',
    async () => {
      const path = fc
        .array(fc.constantFrom('a', 'b', '.wh.a', '.wh..wh..opq', '.wh.', '..', '.', ''), {
          minLength: 1,
          maxLength: 5,
        })
        .map((parts) => parts.join('/'));
      const file: fc.Arbitrary<TarFile> = fc.record({
        path,
        target: path,
        type: fc.constantFrom('file', 'hardlink', 'symlink', 'directory', 'character', 'fifo'),
      });
      await fuzz(
        fc.asyncProperty(fc.array(file, { maxLength: 12 }), async (files) => {
          const root = await scan(files).catch((error: unknown) => {
            expect(error).toBeInstanceOf(A3sError);
            return undefined;
          });
          if (root !== undefined) expectSound(root);
          if (root !== undefined) mergeOver(implicitDirectory(), root);
        }),
      );
    },
    FUZZ_TIMEOUT,
  );
});

function expectSound(directory: DirectoryNode): void {
  for (const [name, node] of directory.children) {
    expect(name).not.toMatch(/^$|^\.\.?$|\/|^\.wh\./);
    if (node.kind === 'directory') expectSound(node);
  }
}
