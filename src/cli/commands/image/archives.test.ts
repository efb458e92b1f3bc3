import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FakeEnds, type Transcript, transcript } from '../../testing/fake-context.ts';
import { serveFake } from '../../testing/serve-fake.ts';

const { server, socket, directory } = serveFake();
const config = join(directory, 'docker');

beforeEach(() => mkdirSync(config));
afterEach(() => {
  rmSync(config, { recursive: true });
});

const a3s = (line: string, ends: FakeEnds = {}): Promise<Transcript> =>
  transcript(socket, line.split(' '), { env: { DOCKER_CONFIG: config }, cwd: directory, ...ends });

describe('save', () => {
  const archive = Buffer.alloc(300_000, 'tar');

  it('saves an image to standard output, or replaces a file once it is complete', async () => {
    server.answers.set('GET /images/get', { bytes: archive });
    expect((await a3s('save a b')).bytes.equals(archive)).toBe(true);
    expect(server.calls.at(-1)?.query.getAll('names')).toEqual(['a', 'b']);
    writeFileSync(join(directory, 'out.tar'), 'old');
    expect(await a3s('save -o out.tar a')).toMatchObject({ status: 0, stdout: '' });
    expect(readFileSync(join(directory, 'out.tar')).equals(archive)).toBe(true);
    expect(await a3s('save -o /dev/null a')).toMatchObject({ status: 0 });
  });

  it.each(['a signal', 'a lost server'])('keeps the old file after %s', async (what) => {
    server.answers.set('GET /images/get', { bytes: archive, endless: true });
    writeFileSync(join(directory, 'kept.tar'), 'old');
    const before = server.left;
    const done = await a3s('save -o kept.tar a', {
      onConnect: (signal) =>
        void expect
          .poll(() => readdirSync(directory).some((name) => name.endsWith('.tmp')))
          .toBe(true)
          .then(() => (what === 'a signal' ? signal('SIGTERM') : server.drop())),
    });
    expect(done.status).toBe(what === 'a signal' ? 143 : 1);
    expect(readFileSync(join(directory, 'kept.tar'), 'utf8')).toBe('old');
    expect(readdirSync(directory).filter((name) => name.endsWith('.tmp'))).toEqual([]);
    await expect.poll(() => server.left).toBe(before + 1);
    if (what !== 'a signal') expect(done.stderr).toContain('(server-unreachable)');
  });

  it('creates no file when there is no such image', async () => {
    const json = { message: 'No such image: a', code: 'no-such-image' };
    server.answers.set('GET /images/get', { status: 404, json });
    expect(await a3s('save -o none.tar a')).toMatchObject({ status: 1 });
    expect(existsSync(join(directory, 'none.tar'))).toBe(false);
  });
});

describe('import', () => {
  it('imports an archive with its changes, message and platform', async () => {
    server.answers.set('POST /images/create', { lines: [{ status: 'sha256:00' }] });
    writeFileSync(join(directory, 'root.tar'), 'a tar');
    const args = [
      'import',
      '-c',
      'CMD ["sh"]',
      '-c',
      'ENV A=1',
      '-m',
      'made',
      'root.tar',
      'r.example/base:2',
    ];
    const done = await transcript(socket, args, { cwd: directory });
    expect(done).toMatchObject({ status: 0, stdout: 'sha256:00\n' });
    const call = server.called('POST /images/create');
    expect(call?.body).toBe('a tar');
    expect([...(call?.query ?? [])]).toEqual([
      ['fromSrc', '-'],
      ['repo', 'r.example/base'],
      ['tag', '2'],
      ['message', 'made'],
      ['changes', 'CMD ["sh"]'],
      ['changes', 'ENV A=1'],
    ]);
    const stdin = new PassThrough();
    stdin.end('piped');
    await a3s('image import -', { stdin });
    expect(server.calls.at(-1)?.body).toBe('piped');
    expect([...(server.calls.at(-1)?.query ?? [])]).toEqual([['fromSrc', '-']]);
  });
});

describe('tag', () => {
  it('tags an image with a new name', async () => {
    server.answers.set('POST /images/a%3A1/tag', { status: 201 });
    expect(await a3s('tag a:1 localhost:5000/b:2')).toMatchObject({ status: 0, stdout: '' });
    expect(Object.fromEntries(server.calls.at(-1)?.query ?? [])).toEqual({
      repo: 'localhost:5000/b',
      tag: '2',
    });
  });
});
