import { describe, expect, it } from 'vitest';
import { ByteReader } from '../byte-reader.ts';
import { DEFAULT_LIMITS } from '../limits.ts';
import { streamed } from '../testing/streams.ts';
import { type TarFile, writeTar } from '../testing/tar-writer.ts';
import { type DirectoryNode, implicitDirectory, mergeOver } from '../tree/tree.ts';
import { followLinks } from './follow-links.ts';
import { LayerBudget, scanLayer } from './scan.ts';

async function treeOf(files: readonly TarFile[]): Promise<DirectoryNode> {
  const reader = new ByteReader(streamed(writeTar(files)), 'the layer');
  return await scanLayer(reader, 0, new LayerBudget(DEFAULT_LIMITS));
}

/** The names in the merged layers, each with a suffix for its kind. */
async function merged(...layers: readonly (readonly TarFile[])[]): Promise<readonly string[]> {
  const root = implicitDirectory();
  for (const layer of layers) {
    const upper = await treeOf(layer);
    followLinks(upper, root, 'the layer');
    mergeOver(root, upper);
  }
  return namesIn(root, '');
}

function namesIn(directory: DirectoryNode, path: string): readonly string[] {
  return [...directory.children].flatMap(([name, node]) =>
    node.kind === 'directory'
      ? [`${path}${name}/`, ...namesIn(node, `${path}${name}/`)]
      : [`${path}${name}${node.kind === 'symlink' ? '@' : ''}`],
  );
}

const link = (path: string, target: string): TarFile => ({ path, type: 'symlink', target });
const directory = (path: string): TarFile => ({ path, type: 'directory' });
const USR: readonly TarFile[] = [
  directory('usr/lib'),
  { path: 'usr/lib/a' },
  link('lib', 'usr/lib'),
];

describe('names that lead through a link of a lower layer', () => {
  it.each<[string, readonly TarFile[], readonly TarFile[], readonly string[]]>([
    [
      'a file below a link to a directory',
      USR,
      [{ path: 'lib/b' }],
      ['usr/', 'usr/lib/', 'usr/lib/a', 'usr/lib/b', 'lib@'],
    ],
    ['a whiteout below a link', USR, [{ path: 'lib/.wh.a' }], ['usr/', 'usr/lib/', 'lib@']],
    [
      'an opaque marker below a link',
      USR,
      [{ path: 'lib/.wh..wh..opq' }, { path: 'lib/c' }],
      ['usr/', 'usr/lib/', 'usr/lib/c', 'lib@'],
    ],
    [
      'a link with an absolute target',
      [...USR, link('abs', '/usr/lib')],
      [{ path: 'abs/b' }],
      ['usr/', 'usr/lib/', 'usr/lib/a', 'usr/lib/b', 'lib@', 'abs@'],
    ],
    [
      'a chain of links',
      [directory('c'), link('a', 'b'), link('b', './c'), link('c/d', '../e')],
      [{ path: 'a/d/f' }],
      ['c/', 'c/d@', 'a@', 'b@', 'e/', 'e/f'],
    ],
    [
      'a link to a missing directory',
      [link('a', 'new/place')],
      [{ path: 'a/f' }],
      ['a@', 'new/', 'new/place/', 'new/place/f'],
    ],
    [
      'a link that leads out of the tree',
      [link('a', '../../../../etc')],
      [{ path: 'a/f' }],
      ['a@', 'etc/', 'etc/f'],
    ],
    [
      'a directory entry that replaces the link',
      USR,
      [directory('lib'), { path: 'lib/b' }],
      ['usr/', 'usr/lib/', 'usr/lib/a', 'lib/', 'lib/b'],
    ],
    [
      'entries below the link and below its target',
      USR,
      [{ path: 'lib/b/x' }, { path: 'usr/lib/b/y' }, { path: 'usr/lib/.wh.c' }, { path: 'lib/c' }],
      [
        'usr/',
        'usr/lib/',
        'usr/lib/a',
        'usr/lib/b/',
        'usr/lib/b/y',
        'usr/lib/b/x',
        'usr/lib/c',
        'lib@',
      ],
    ],
  ])('follows links of a lower layer: %s', async (_, lower, upper, expected) => {
    expect(await merged(lower, upper)).toEqual(expected);
  });

  it.each<[string, readonly TarFile[], readonly TarFile[], string]>([
    ['links in a circle', [link('a', 'b'), link('b', 'a')], [{ path: 'a/f' }], 'without end'],
    ['a link to itself', [link('a', 'a/a')], [{ path: 'a/f' }], 'without end'],
    [
      'a file below a link and below its target',
      USR,
      [{ path: 'lib/b' }, { path: 'usr/lib/b' }],
      'twice',
    ],
    [
      'a file in the place of the target directory',
      USR,
      [{ path: 'lib/b' }, { path: 'usr' }],
      'twice',
    ],
  ])(
    'refuses names that lead through links of a lower layer: %s',
    async (_, lower, upper, message) => {
      await expect(merged(lower, upper)).rejects.toMatchObject({
        code: 'invalid-image',
        message: expect.stringContaining(message),
      });
    },
  );
});
