import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MAX_DEPTH } from './held.ts';
import type { Placement } from './paths.ts';
import { endOfTar, paddingOf, type TarFile, tarHeader } from './tar-header.ts';
import { unpack } from './unpack.ts';

const HARD_LINK = '1' as string as '0';

let work: string;
beforeEach(() => {
  work = mkdtempSync(join(tmpdir(), 'a3s-unpack-'));
  mkdirSync(join(work, 'outside'), { mode: 0o700 });
  mkdirSync(join(work, 'into'));
});
afterEach(() => rmSync(work, { recursive: true }));

type Entry = Partial<TarFile> & { readonly data?: string };
/** An entry, or what somebody else does while the archive is at this place. */
type Step = Entry | (() => void);

function header(entry: Entry): Buffer {
  const size = Buffer.byteLength(entry.data ?? '');
  const common = {
    type: '0',
    name: 'n',
    link: '',
    mode: 0o644,
    uid: 0,
    gid: 0,
    mtime: 1e9,
  } as const;
  return tarHeader({ ...common, ...entry, size });
}

async function* archive(steps: readonly Step[]): AsyncGenerator<Buffer> {
  for (const step of steps) {
    if (typeof step === 'function') {
      step();
      continue;
    }
    const { data = '' } = step;
    yield header(step);
    if (data !== '') yield Buffer.from(data);
    yield paddingOf(Buffer.byteLength(data));
  }
  yield endOfTar();
}

/** Extracts the directory `dir` of a box into `into`. */
async function extract(steps: readonly Step[], to: Partial<Placement> = {}): Promise<void> {
  const placement = { directory: join(work, 'into'), name: 'dir', ...to };
  await unpack(archive(steps), 'dir', placement, { bytes: 0 });
}

function replaceByLink(name: string): () => void {
  return () => {
    renameSync(join(work, name), join(work, 'moved'));
    symlinkSync(join(work, 'outside'), join(work, name));
  };
}

function expectNothingOutside(): void {
  expect(readdirSync(join(work, 'outside'))).toEqual([]);
  const { mode, mtimeMs } = statSync(join(work, 'outside'));
  expect(mode & 0o777).toBe(0o700);
  expect(mtimeMs).not.toBe(1e12);
}

describe('a first entry that takes the place of the destination', () => {
  it.each([
    ['link', { type: '2', link: 'outside' }],
    ['hard link', { type: HARD_LINK, link: 'dir' }],
    ['file', { data: 'x' }],
    ['pipe', { type: '6' }],
  ] as const)(
    'refuses a first entry that puts a %s in place of the destination',
    async (_, entry) => {
      const to = { directory: join(work, 'new'), name: '.' };
      const first = { ...entry, name: 'dir' };
      await expect(extract([first, { name: 'dir/evil', data: 'x' }], to)).rejects.toThrow(
        `cannot overwrite directory ${JSON.stringify(join(work, 'new'))} with non-directory`,
      );
      expect(existsSync(join(work, 'new'))).toBe(false);
      expectNothingOutside();
    },
  );

  it('makes the destination of an archive whose first entry is a directory', async () => {
    const to = { directory: join(work, 'new'), name: '.' };
    await extract(
      [
        { type: '5', name: 'dir/' },
        { name: 'dir/file', data: 'content' },
      ],
      to,
    );
    expect(readFileSync(join(work, 'new/file'), 'utf8')).toBe('content');
  });
});

describe('a link that replaces a directory of the destination meanwhile', () => {
  const dir = { type: '5', name: 'dir/', mode: 0o777 } as const;
  const file = { name: 'dir/file', data: 'content' };
  const between = (swap: () => void): readonly Step[] => [dir, { ...file, data: '' }, swap, file];

  it.each([
    ['before its attributes are set', (swap: () => void) => [dir, file, swap], 'into/dir', ''],
    ['before a file is written', (swap: () => void) => [dir, swap, file], 'into/dir', ''],
    ['between two files', between, 'into/dir', ''],
    ['that is the destination itself', between, 'into', 'dir/'],
  ])('follows no link that replaces a directory %s', async (_, steps, name, below) => {
    await extract(steps(replaceByLink(name)));
    expectNothingOutside();
    expect(readFileSync(join(work, 'moved', `${below}file`), 'utf8')).toBe('content');
    expect(statSync(join(work, 'moved', below)).mode & 0o777).toBe(0o777);
    expect(statSync(join(work, 'moved', below)).mtimeMs).toBe(1e12);
  });

  it('follows no link that replaces a directory while the data of a file arrives', async () => {
    async function* slowly(): AsyncGenerator<Buffer> {
      yield header(dir);
      yield header(file);
      yield Buffer.from('con');
      replaceByLink('into/dir')();
      yield Buffer.from('tent');
      yield Buffer.concat([paddingOf(7), endOfTar()]);
    }
    const to = { directory: join(work, 'into'), name: 'dir' };
    await unpack(slowly(), 'dir', to, { bytes: 0 });
    expectNothingOutside();
    expect(readdirSync(join(work, 'moved'))).toEqual(['file']);
  });

  it('follows no link of a replaced directory for a hard link or a later entry', async () => {
    const other = { type: '5', name: 'dir/other/' } as const;
    const swap = replaceByLink('into/dir/other');
    writeFileSync(join(work, 'outside/key'), 'private');
    const hard = { type: HARD_LINK, name: 'dir/hard', link: 'dir/other/key' };
    await expect(extract([dir, other, file, swap, hard])).rejects.toThrow('names no file');
    expect(existsSync(join(work, 'into/dir/hard'))).toBe(false);
    const after = { name: 'dir/other/evil', data: 'x' };
    await expect(extract([dir, after])).rejects.toThrow('is not a directory');
    expect(readdirSync(join(work, 'outside'))).toEqual(['key']);
  });
});

it('links to files of directories that it is in, and of others', async () => {
  await extract([
    { type: '5', name: 'dir/' },
    { name: 'dir/a/b/file', data: 'content' },
    { type: HARD_LINK, name: 'dir/a/near', link: 'dir/a/b/file' },
    { type: HARD_LINK, name: 'dir/c/far', link: 'dir/a/near' },
  ]);
  const [file, near, far] = ['a/b/file', 'a/near', 'c/far'].map((name) =>
    statSync(join(work, 'into/dir', name)),
  );
  expect([near?.ino, far?.ino]).toEqual([file?.ino, file?.ino]);
});

it('makes a pipe whose name is not UTF-8, and touches no other file', async () => {
  const replacement = join(work, 'into/dir/\ufffd');
  mkdirSync(join(work, 'into/dir'));
  writeFileSync(replacement, 'mine', { mode: 0o600 });
  await extract([
    { type: '5', name: 'dir/' },
    { type: '6', name: 'dir/\xff', mode: 0o640 },
  ]);
  const pipe = Buffer.concat([Buffer.from(join(work, 'into/dir/')), Buffer.from([0xff])]);
  expect(lstatSync(pipe).isFIFO()).toBe(true);
  expect(lstatSync(pipe).mode & 0o777).toBe(0o640);
  expect(lstatSync(replacement).mode & 0o777).toBe(0o600);
  expect(readdirSync(join(work, 'into/dir'))).toHaveLength(2);
});

it('refuses more directories in each other than it may hold, and holds none afterwards', async () => {
  const open = (): number => readdirSync('/proc/self/fd').length;
  const before = open();
  const deep = { name: `dir${'/d'.repeat(MAX_DEPTH)}/file`, data: 'x' };
  await expect(extract([deep])).rejects.toThrow('more than 512 directories in each other');
  expect(readdirSync(join(work, 'into'))).toEqual([]);
  await extract([{ ...deep, name: deep.name.replace('/d', '') }]);
  expect(open()).toBe(before);
});

it('names the file that cannot be written as the user knows it', async () => {
  const name = 'x'.repeat(300);
  await expect(extract([{ type: '5', name: 'dir/' }, { name: `dir/${name}` }])).rejects.toThrow(
    `ENAMETOOLONG: name too long, lstat ${JSON.stringify(join(work, 'into/dir', name))}`,
  );
});
