/**
 * Images whose layers have everything that tar and the OCI image specification allow and that tools
 * get wrong.
 *
 * @module
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TarFile } from '../../src/images/testing/tar-writer.ts';
import type { ImageSpec } from '../images/build-image.ts';

/** VFS_CAP_REVISION_2 with CAP_NET_RAW, permitted and effective: not text in any encoding. */
const NET_RAW = Buffer.from('0100000200200000000000000000000000000000', 'hex');

const directory = (path: string, more: Partial<TarFile> = {}): TarFile => ({
  path,
  type: 'directory',
  mode: 0o755,
  mtime: 1_000_000_000,
  ...more,
});
const file = (path: string, data: string, more: Partial<TarFile> = {}): TarFile => ({
  path,
  data,
  mode: 0o644,
  mtime: 1_100_000_000,
  ...more,
});

const LONG = 'n'.repeat(255);
const DEEP = Array.from({ length: 12 }, (_, depth) =>
  Array.from({ length: depth + 1 }, (_, index) => `${index}`.padEnd(150, 'd')).join('/'),
);
const DEEPEST = DEEP.at(-1);

const LOWEST: readonly TarFile[] = [
  directory('./', { mtime: 1_600_000_000 }),
  directory('bin/'),
  directory('usr/'),
  directory('usr/lib/'),
  file('usr/lib/a', 'a'),
  // As distributions have it since they merged /usr.
  { path: 'lib', type: 'symlink', target: 'usr/lib', mtime: 1_200_000_000 },
  { path: 'absolute', type: 'symlink', target: '/usr/lib', mtime: 1_200_000_000 },
  directory('tmp/', { mode: 0o1777 }),
  directory('gone/'),
  file('gone/x', 'x'),
  directory('gone/below/'),
  file('gone/below/y', 'y'),
  directory('opaque/', { mode: 0o700, uid: 7, gid: 8 }),
  file('opaque/old', 'old'),
  directory('opaque/kept/'),
  file('opaque/kept/older', 'older'),
  directory('again/'),
  file('again/old', 'old'),
  file('becomes-directory', 'file'),
  directory('becomes-file/'),
  file('becomes-file/x', 'x'),
  file('removed', 'removed'),
  file('replaced', 'before', { mode: 0o600, uid: 3, xattrs: { 'user.before': '1' } }),
  { path: 'dangling', type: 'symlink', target: '../../nowhere/at all', mtime: 1_200_000_000 },
  { path: 'becomes-link', data: 'x' },
];

const MIDDLE: readonly TarFile[] = [
  // No entry for tmp: it stays as it is below.
  file('tmp/added', 'added'),
  file('.wh.gone', ''),
  directory('opaque/', { mode: 0o711, uid: 9, gid: 9 }),
  file('opaque/.wh..wh..opq', ''),
  file('opaque/new', 'new'),
  directory('opaque/kept/'),
  file('.wh.again', ''),
  directory('again/', { mode: 0o750 }),
  file('again/new', 'new'),
  directory('becomes-directory/'),
  file('becomes-directory/x', 'x'),
  file('becomes-file', 'now a file'),
  file('.wh.removed', ''),
  file('replaced', 'after'),
  { path: 'becomes-link', type: 'symlink', target: 'replaced', mtime: 1_200_000_000 },
];

const HIGHEST: readonly TarFile[] = [
  directory('odd/', { mode: 0o2755 }),
  file('odd/set-user-id', 'x', { mode: 0o4755, uid: 1000, gid: 1000 }),
  file('odd/all bits', 'x', { mode: 0o7777 }),
  file('odd/no bits', 'x', { mode: 0 }),
  file('odd/last user', 'x', { uid: 4_294_967_294, gid: 4_294_967_294 }),
  file('odd/overflow user', 'x', { uid: 65_534, gid: 2_147_483_648 }),
  file('odd/capable', 'x', { mode: 0o755, xattrs: { 'security.capability': NET_RAW } }),
  file('odd/attributes', 'x', {
    xattrs: {
      'user.binary': Buffer.from([0, 255, 128, 10]),
      'user.empty': '',
      'user.text': 'Grüße',
    },
  }),
  directory('odd/attributes of a directory/', { xattrs: { 'user.d': 'd' } }),
  { path: 'odd/null', type: 'character', device: { major: 1, minor: 3 }, mode: 0o666, mtime: 5 },
  { path: 'odd/disk', type: 'block', device: { major: 259, minor: 70_000 }, mode: 0o640, mtime: 5 },
  { path: 'odd/fifo', type: 'fifo', mode: 0o622, mtime: 6 },
  file('odd/linked', 'one inode', { mtime: 1_300_000_000 }),
  { path: 'odd/linked again', type: 'hardlink', target: 'odd/linked', mtime: 1_300_000_000 },
  { path: 'a-link-elsewhere', type: 'hardlink', target: 'odd/linked', mtime: 1_300_000_000 },
  file('odd/empty', ''),
  file(`odd/${LONG}`, 'long'),
  ...DEEP.map((path) => directory(path)),
  file(`${DEEPEST}/file`, 'deep'),
  { path: 'odd/long link', type: 'symlink', target: `${DEEPEST}/file`, mtime: 1 },
  file('odd/new\nline\ttab', 'x'),
  file('odd/Grüße', 'x'),
  file('odd/before 1970', 'x', { pax: { mtime: '-86400.25' } }),
  file('odd/after 2038', 'x', { pax: { mtime: '5000000000.123456789' } }),
  file('odd/whole', Buffer.alloc(3_000_001, 'whole').toString()),
];

/** The layers that every image of these tests has, with programs by their paths in the box. */
export function awkwardImage(name: string, programs: Readonly<Record<string, Buffer>>): ImageSpec {
  const executables = Object.entries(programs).map(([path, data]) => ({ path, data, mode: 0o755 }));
  return { name, layers: [LOWEST, MIDDLE, HIGHEST, sparseLayer(), executables] };
}

/** Files are put where a link of a lower layer leads. */
export const THROUGH_LINKS: readonly (readonly TarFile[])[] = [
  LOWEST,
  [file('lib/b', 'b'), file('absolute/c/d', 'd'), file('lib/.wh.a', '')],
];

/** As GNU tar writes files with holes. */
function sparseLayer(): Buffer {
  const root = mkdtempSync('/tmp/a3s-sparse-');
  try {
    mkdirSync(join(root, 'sparse'));
    for (const [name, data] of [
      ['hole', ''],
      ['start', 'data'],
    ] as const) {
      const path = join(root, 'sparse', name);
      writeFileSync(path, data);
      truncateSync(path, 50_000_000);
    }
    writeFileSync(join(root, 'sparse/islands'), 'first');
    for (const at of [1_000_000, 30_000_000]) {
      execFileSync('dd', [
        ...['if=/dev/urandom', `of=${join(root, 'sparse/islands')}`, 'bs=4096', 'count=1'],
        ...[`seek=${at}`, 'oflag=seek_bytes', 'conv=notrunc', 'status=none'],
      ]);
    }
    const options = [
      '--format=pax',
      '--sparse',
      '--owner=0',
      '--group=0',
      '--mtime=@1400000000',
      '--sort=name',
    ];
    return execFileSync('tar', [...options, '-cf', '-', '-C', root, 'sparse'], {
      maxBuffer: 64 * 1024 * 1024,
    });
  } finally {
    rmSync(root, { recursive: true });
  }
}

/** So many small files in directories of a thousand. */
export function manyFiles(count: number): readonly TarFile[] {
  const files: TarFile[] = [directory('many/')];
  for (let index = 0; index < count; index += 1) {
    const parent = `many/${Math.floor(index / 1000)}/`;
    if (index % 1000 === 0) files.push(directory(parent));
    files.push(file(`${parent}${index}`, `file ${index}\n`, { uid: index % 7, mode: 0o600 }));
  }
  return files;
}
