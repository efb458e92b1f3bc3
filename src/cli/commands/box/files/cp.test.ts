import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ByteReader } from '../../../../images/byte-reader.ts';
import { readTar } from '../../../../images/tar/read-tar.ts';
import { endOfTar, paddingOf, type TarFile, tarHeader } from '../../../copy/tar-header.ts';
import { type FakeEnds, type Transcript, transcript } from '../../../testing/fake-context.ts';
import { serveFake } from '../../../testing/serve-fake.ts';

const { server, socket, directory } = serveFake();
const work = join(directory, 'work');
beforeEach(() => mkdirSync(work));
afterEach(() => rmSync(work, { recursive: true }));

const cp = (args: readonly string[], ends: FakeEnds = {}): Promise<Transcript> =>
  transcript(socket, ['cp', ...args], { cwd: work, ...ends });

const DIRECTORY = 2 ** 31 + 0o755;
const ARCHIVE = '/containers/web/archive';

function describePath(mode: number, linkTarget = ''): Record<string, string> {
  const document = { name: 'n', size: 1, mode, mtime: '2026-01-01T00:00:00Z', linkTarget };
  return {
    'X-Docker-Container-Path-Stat': Buffer.from(JSON.stringify(document)).toString('base64'),
  };
}

/** What the destination in the box is; undefined: it does not exist. */
function destination(mode: number | undefined, linkTarget?: string): void {
  const missing = { status: 404, json: { message: 'no such file', code: 'no-such-file' } };
  const found = { headers: describePath(mode ?? 0, linkTarget) };
  server.answers.set(`HEAD ${ARCHIVE}`, mode === undefined ? missing : found);
  server.answers.set(`PUT ${ARCHIVE}`, {});
}

function source(mode: number, ...entries: readonly (Partial<TarFile> & { data?: string })[]): void {
  const blocks = entries.flatMap(({ data = '', ...entry }) => {
    const size = Buffer.byteLength(data);
    const header = {
      ...({ type: '0', name: 'n', link: '', mode: 0o644 } as const),
      ...entry,
      size,
    };
    const full = { uid: 0, gid: 0, mtime: 1_000_000_000, ...header };
    return [tarHeader(full), Buffer.from(data), paddingOf(size)];
  });
  const bytes = Buffer.concat([...blocks, endOfTar()]);
  server.answers.set(`GET ${ARCHIVE}`, { bytes, headers: describePath(mode) });
}

/** What was sent, as `name` or `name -> link`, and where to. */
async function sent(): Promise<{ path: string | null; entries: string[] }> {
  const put = server.called(`PUT ${ARCHIVE}`);
  const entries: string[] = [];
  const bytes = Buffer.from(put?.body ?? '', 'latin1');
  const reader = new ByteReader(
    (async function* () {
      yield bytes;
    })(),
    'archive',
  );
  for await (const { path, linkPath } of readTar(reader, 1000)) {
    entries.push(linkPath === '' ? path : `${path} -> ${linkPath}`);
  }
  return { path: put?.query.get('path') ?? null, entries: entries.sort() };
}

describe('cp into a box', () => {
  beforeEach(() => {
    mkdirSync(join(work, 'dir/below'), { recursive: true });
    writeFileSync(join(work, 'dir/file'), 'content');
    symlinkSync('file', join(work, 'dir/link'));
    symlinkSync('dir', join(work, 'to-dir'));
  });

  it.each([
    ['dir/file', '/etc', DIRECTORY, '/etc', ['file']],
    ['dir/file', '/etc/new', undefined, '/etc', ['new']],
    ['dir/file', '/etc/old', 0o644, '/etc', ['old']],
    ['dir', '/etc', DIRECTORY, '/etc', ['dir/', 'dir/below/', 'dir/file', 'dir/link -> file']],
    ['dir', '/etc/new', undefined, '/etc', ['new/', 'new/below/', 'new/file', 'new/link -> file']],
    ['dir/.', '/etc', DIRECTORY, '/etc', ['./', './below/', './file', './link -> file']],
    [
      'dir/.',
      '/etc/new/',
      undefined,
      '/etc',
      ['new/', 'new/below/', 'new/file', 'new/link -> file'],
    ],
    ['dir/link', '/etc', DIRECTORY, '/etc', ['link -> file']],
    ['to-dir', '/etc', DIRECTORY, '/etc', ['to-dir -> dir']],
    [
      'to-dir/',
      '/etc',
      DIRECTORY,
      '/etc',
      ['to-dir/', 'to-dir/below/', 'to-dir/file', 'to-dir/link -> file'],
    ],
  ] as const)('sends %s to %s as Docker does', async (from, to, mode, path, entries) => {
    destination(mode);
    expect(await cp([from, `web:${to}`])).toMatchObject({ status: 0, stdout: '', stderr: '' });
    expect(await sent()).toEqual({ path, entries });
    expect(server.called(`PUT ${ARCHIVE}`)?.query.get('noOverwriteDirNonDir')).toBe('1');
  });

  it('follows a link with -L, and the link that the destination is', async () => {
    destination(DIRECTORY);
    expect((await cp(['-L', 'dir/link', 'web:/etc'])).status).toBe(0);
    expect(await sent()).toEqual({ path: '/etc', entries: ['link'] });
    server.calls.length = 0;
    destination(2 ** 27 + 0o777, '/real');
    expect((await cp(['-a', 'dir/file', 'web:/link'])).status).toBe(0);
    expect(server.log).toEqual([`HEAD ${ARCHIVE}`, `HEAD ${ARCHIVE}`, `PUT ${ARCHIVE}`]);
    expect(server.called(`PUT ${ARCHIVE}`)?.query.get('copyUIDGID')).toBe('1');
  });

  it.each([
    ['dir', 'web:/etc/file', 0o644, 'cannot copy directory'],
    ['dir/file', 'web:/etc/new/', undefined, 'no such directory'],
    ['absent', 'web:/etc', DIRECTORY, 'no such file or directory'],
    ['dir/file/', 'web:/etc', DIRECTORY, 'not a directory'],
    ['dir/file', 'web:/dev/null', 2 ** 26 + 2 ** 21, 'must be a directory or a regular file'],
    ['-', 'web:/etc/file', 0o644, 'destination "web:/etc/file" must be a directory'],
    ['dir', 'file', DIRECTORY, 'must specify at least one container source'],
    ['a:/x', 'b:/y', DIRECTORY, 'copying between containers is not supported'],
    ['', 'web:/etc', DIRECTORY, 'source can not be empty'],
  ] as const)('refuses to send %j to %s', async (from, to, mode, message) => {
    destination(mode);
    const result = await cp([from, to]);
    expect(result.status).toBe(1);
    expect(result.stderr).toContain(message);
    expect(server.called(`PUT ${ARCHIVE}`)).toBeUndefined();
  });

  it.each([
    ['..', '/', DIRECTORY, '/', ['file']],
    ['foo/..', '/', DIRECTORY, '/', ['file']],
    ['etc/../..', '/', DIRECTORY, '/', ['file']],
    ['foo/../new', '/new', undefined, '/', ['new']],
  ] as const)('resolves %s in the box', async (to, asked, mode, path, entries) => {
    destination(mode);
    expect((await cp(['dir/file', `web:${to}`])).status).toBe(0);
    expect(server.called(`HEAD ${ARCHIVE}`)?.query.get('path')).toBe(asked);
    expect(await sent()).toEqual({ path, entries });
  });

  it('sends an archive from standard input as it is', async () => {
    destination(DIRECTORY);
    const stdin = new PassThrough();
    stdin.end('any bytes');
    expect((await cp(['-', 'web:/etc'], { stdin })).status).toBe(0);
    expect(server.called(`PUT ${ARCHIVE}`)?.body).toBe('any bytes');
  });
});

describe('cp out of a box', () => {
  it('writes a file under its own name, or another', async () => {
    source(0o640, { name: 'passwd', mode: 0o4640, data: 'root' });
    mkdirSync(join(work, 'into'));
    for (const [to, made] of [
      ['.', 'passwd'],
      ['into', 'into/passwd'],
      ['new', 'new'],
      ['new', 'new'],
    ] as const) {
      expect(await cp(['web:/etc/passwd', to])).toMatchObject({ status: 0, stderr: '' });
      expect(readFileSync(join(work, made), 'utf8')).toBe('root');
      // Without set-id bits: a program of a box gets no user's rights here.
      expect(statSync(join(work, made)).mode & 0o7777).toBe(0o640);
    }
  });

  it('writes a directory with what it has', async () => {
    source(
      DIRECTORY,
      { type: '5', name: 'dir/', mode: 0o750 },
      { name: 'dir/file', data: 'content' },
      { type: '2', name: 'dir/link', link: '/anywhere' },
      { type: '5', name: 'dir/below/', mode: 0o555 },
      { name: 'dir/below/deep', data: 'deep' },
      { type: '6', name: 'dir/fifo' },
    );
    expect(await cp(['web:/dir', 'new'])).toMatchObject({ status: 0, stderr: '' });
    expect(readFileSync(join(work, 'new/below/deep'), 'utf8')).toBe('deep');
    expect(readlinkSync(join(work, 'new/link'))).toBe('/anywhere');
    expect(lstatSync(join(work, 'new/fifo')).isFIFO()).toBe(true);
    expect(lstatSync(join(work, 'new/below')).mode & 0o777).toBe(0o555);
    expect(lstatSync(join(work, 'new')).mtimeMs).toBe(1e12);
  });

  it('copies the content of a directory with /.', async () => {
    source(DIRECTORY, { type: '5', name: './' }, { name: './file', data: 'content' });
    expect((await cp(['web:/dir/.', '.'])).status).toBe(0);
    expect(readdirSync(work)).toEqual(['file']);
  });

  it.each(['..', 'foo/..', '/foo/../..'])(
    'copies the root for %s, into the destination',
    async (path) => {
      source(DIRECTORY, { type: '5', name: '/' }, { name: '/file', data: 'content' });
      mkdirSync(join(work, 'into'));
      expect(await cp([`web:${path}`, 'into'])).toMatchObject({ status: 0, stderr: '' });
      expect(server.called(`GET ${ARCHIVE}`)?.query.get('path')).toBe('/');
      expect(readdirSync(work)).toEqual(['into']);
      expect(readdirSync(join(work, 'into'))).toEqual(['file']);
    },
  );

  it('follows a link with -L, and keeps its name', async () => {
    source(0o644, { name: 'target', data: 'content' });
    destination(2 ** 27 + 0o777, '/etc/target');
    expect((await cp(['-L', 'web:/etc/link', '.'])).status).toBe(0);
    expect(server.called(`GET ${ARCHIVE}`)?.query.get('path')).toBe('/etc/target');
    expect(readdirSync(work)).toEqual(['link']);
  });

  it('writes the archive to standard output as it is', async () => {
    source(0o644, { name: 'file', data: 'content' });
    const { bytes, status } = await cp(['web:/file', '-']);
    expect({
      status,
      same: bytes.equals(server.answers.get(`GET ${ARCHIVE}`)?.bytes ?? bytes.subarray(1)),
    }).toEqual({ status: 0, same: true });
  });

  it('says how much it copied to who reads it', async () => {
    source(0o644, { name: 'file', data: 'content' });
    const { stderr } = await cp(['web:/file', '.'], { terminal: true });
    expect(stderr).toBe(`Successfully copied 7B to ${work}/.\n`);
    expect((await cp(['-q', 'web:/file', '.'], { terminal: true })).stderr).toBe('');
  });

  it.each([
    ['another name', [{ name: 'other', data: 'x' }], 'is outside of the destination'],
    ['steps up', [{ name: 'dir/../../evil', data: 'x' }], 'is outside of the destination'],
    ['an absolute name', [{ name: '/etc/evil', data: 'x' }], 'is outside of the destination'],
    [
      'a link as a directory',
      [
        { type: '2', name: 'dir/l', link: '/tmp' },
        { name: 'dir/l/evil', data: 'x' },
      ],
      'is not a directory',
    ],
    [
      'a link that leads out',
      [{ type: '2', name: 'dir/l', link: '../../../etc' }],
      'leads out of the destination',
    ],
    [
      'a hard link to a link',
      [
        { type: '2', name: 'dir/l', link: '/etc/passwd' },
        { type: '1' as string as '0', name: 'dir/h', link: 'dir/l' },
      ],
      'names no file of the archive',
    ],
    [
      'a hard link that leads out',
      [{ type: '1' as string as '0', name: 'dir/h', link: '/etc/passwd' }],
      'is outside of the destination',
    ],
    ['a device node', [{ type: '3' as string as '0', name: 'dir/null' }], 'is a device node'],
  ] as const)('refuses an archive with %s', async (_, entries, message) => {
    source(DIRECTORY, { type: '5', name: 'dir/' }, ...entries);
    const result = await cp(['web:/dir', '.']);
    expect(result.status).toBe(1);
    expect(result.stderr).toContain(message);
    expect(existsSync('/tmp/evil')).toBe(false);
    expect(readdirSync(directory).sort()).toEqual(['s', 'work']);
    expect(existsSync(join(work, 'evil'))).toBe(false);
  });

  it('keeps the older file where the archive breaks off', async () => {
    writeFileSync(join(work, 'file'), 'old');
    source(0o644, { name: 'file', data: 'x'.repeat(1000) });
    const answer = server.answers.get(`GET ${ARCHIVE}`);
    server.answers.set(`GET ${ARCHIVE}`, {
      ...answer,
      bytes: answer?.bytes?.subarray(0, 800) as Buffer,
    });
    expect((await cp(['web:/file', '.'])).status).toBe(1);
    expect(readFileSync(join(work, 'file'), 'utf8')).toBe('old');
    expect(readdirSync(work)).toEqual(['file']);
  });

  it.each([
    ['web:/file', 'absent/x', 'invalid output path: directory'],
    ['web:/file', 'absent/', 'no such directory'],
    ['web:/dir', 'file', 'cannot copy directory'],
  ] as const)('refuses to write %s to %s', async (from, to, message) => {
    writeFileSync(join(work, 'file'), 'old');
    if (from === 'web:/dir') source(DIRECTORY, { type: '5', name: 'dir/' });
    else source(0o644, { name: 'file', data: 'new' });
    const result = await cp([from, to]);
    expect(result.status).toBe(1);
    expect(result.stderr).toContain(message);
    expect(readFileSync(join(work, 'file'), 'utf8')).toBe('old');
  });

  it('follows the links of the destination itself', async () => {
    mkdirSync(join(work, 'real'));
    symlinkSync('real', join(work, 'to-real'));
    source(0o644, { name: 'file', data: 'content' });
    expect((await cp(['web:/file', 'to-real'])).status).toBe(0);
    expect(readdirSync(join(work, 'real'))).toEqual(['file']);
  });
});
