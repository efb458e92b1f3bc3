import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { FakeFiles } from '../../../../guest/testing/fake-files.ts';
import { FakeRefusal } from '../../../../guest/testing/fake-refusal.ts';
import { docker } from '../../../testing/docker.ts';
import { TestHome } from '../../../testing/home.ts';

const home = new TestHome();
let id: string;
let files: FakeFiles;
beforeAll(async () => {
  await home.start();
  id = await home.create(['sleep', 'infinity'], { Hostname: 'copied' });
  await home.call('POST', `/containers/${id}/start`);
  const agent = home.agents.get(id);
  if (agent === undefined) throw new Error('the box has no agent');
  files = agent.files;
});
afterAll(() => home.remove());
beforeEach(() => {
  files.refusal = undefined;
  files.breaksOff = false;
});

const path = (of: string, more = '') =>
  `/containers/${id}/archive?path=${encodeURIComponent(of)}${more}`;

interface Answer {
  readonly status: number;
  readonly stat: unknown;
  readonly type: string | undefined;
  readonly bytes: Buffer;
  readonly complete: boolean;
}

/** One request, its bytes as they are. */
function ask(method: string, at: string, body?: Buffer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const socketPath = home.config.socket;
    const sent = request({ socketPath, method, path: at, agent: false }, (response) => {
      const pieces: Buffer[] = [];
      const header = response.headers['x-docker-container-path-stat'];
      response.on('data', (piece: Buffer) => pieces.push(piece));
      response.on('error', () => undefined);
      response.on('close', () =>
        resolve({
          status: response.statusCode ?? 0,
          stat: typeof header === 'string' ? JSON.parse(atob(header)) : undefined,
          type: response.headers['content-type'],
          bytes: Buffer.concat(pieces),
          complete: response.complete,
        }),
      );
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

describe('GET archive', () => {
  it('answers an archive, and what the path names in a header', async () => {
    const archive = Buffer.from('an archive, as the guest made it'.repeat(10_000));
    const stat = { size: 3, mode: 0o640, mtime: 1_700_000_000, nanoseconds: 120_000_000 };
    files.paths.set('/etc/a file', { stat, archive });
    const answer = await ask('GET', path('/etc/a file'));
    expect(answer).toMatchObject({ status: 200, type: 'application/x-tar', complete: true });
    expect(answer.bytes.equals(archive)).toBe(true);
    const mtime = '2023-11-14T22:13:20.12Z';
    expect(answer.stat).toEqual({ name: 'a file', size: 3, mode: 0o640, mtime, linkTarget: '' });
  });

  it('answers a HEAD with the header alone', async () => {
    const stat = { mode: 2 ** 27 + 0o777, linkTarget: '/data/file', mtime: -1e15 };
    files.paths.set('/link', { stat });
    const answer = await ask('HEAD', path('/link'));
    expect(answer).toMatchObject({ status: 200, bytes: Buffer.alloc(0) });
    expect(answer.stat).toMatchObject({ ...{ mode: stat.mode, linkTarget: '/data/file' } });
    expect(answer.stat).toMatchObject({ mtime: '0001-01-01T00:00:00Z' });
    expect((await ask('HEAD', path('/absent'))).status).toBe(404);
  });

  it('refuses a path that does not exist, in Docker’s words', async () => {
    expect(await home.call('GET', path('/absent'))).toMatchObject({
      ...{ status: 404, body: { code: 'no-such-file' } },
      body: { message: expect.stringMatching(/^Could not find the file \/absent in container /) },
    });
  });

  it.each(['', '&path=/twice'])('refuses a request without one path%s', async (more) => {
    const at = `/containers/${id}/archive?path=${more}`;
    for (const method of ['GET', 'PUT']) {
      expect(await home.call(method, at)).toMatchObject({
        ...{ status: 400, body: { code: 'invalid-argument' } },
      });
    }
  });

  it('breaks the answer off where the guest’s archive breaks off', async () => {
    files.breaksOff = true;
    const answer = await ask('GET', path('/'));
    expect(answer).toMatchObject({ status: 200, complete: false });
  });

  it('leaves a paused box as it is', async () => {
    await home.call('POST', `/containers/${id}/pause`);
    expect((await ask('GET', path('/'))).status).toBe(200);
    const { body } = await home.call('GET', `/containers/${id}/json`);
    expect(body).toMatchObject({ State: { Paused: true } });
    await home.call('POST', `/containers/${id}/unpause`);
  });
});

describe('PUT archive', () => {
  it('passes the archive on with its options', async () => {
    const archive = Buffer.from('any bytes'.repeat(100_000));
    for (const [more, keepKinds, ofUser] of [
      ['', false, false],
      ['&noOverwriteDirNonDir=true&copyUIDGID=1', true, true],
    ] as const) {
      expect(await ask('PUT', path('/tmp', more), archive)).toMatchObject({ status: 200 });
      const last = files.written.at(-1);
      expect(last).toMatchObject({ path: '/tmp', keepKinds, ofUser });
      expect(last?.archive.equals(archive)).toBe(true);
    }
  });

  it.each([
    ['path-invalid', 400, 'invalid-argument'],
    ['path-readonly', 403, 'read-only-files'],
    ['path-not-found', 404, 'no-such-file'],
    ['disk-full', 500, 'box-disk-full'],
  ] as const)(
    'answers the guest’s %s with %d before the archive’s end',
    async (guest, status, code) => {
      files.refusal = new FakeRefusal(guest, 'because');
      const answer = await ask('PUT', path('/tmp'), Buffer.alloc(8 * 1024 * 1024));
      expect(answer.status).toBe(status);
      expect(JSON.parse(answer.bytes.toString())).toMatchObject({ code });
    },
  );

  it('writes nothing where the client is gone before the archive’s end', async () => {
    const before = files.written.length;
    const { socket: socketPath } = home.config;
    const sent = request({ socketPath, method: 'PUT', path: path('/tmp'), agent: false });
    sent.on('error', () => undefined);
    sent.write('the first part');
    await once(sent, 'socket');
    await new Promise((resolve) => sent.write('more', resolve));
    sent.destroy();
    await home.call('GET', '/_ping');
    await ask('PUT', path('/tmp'), Buffer.from('the next'));
    expect(files.written.slice(before).map(({ archive }) => archive.toString())).toEqual([
      'the next',
    ]);
  });

  it.each(['xz', 'zstd'])(
    'passes on what was compressed with %s, or says what is wrong',
    async (tool) => {
      const archive = Buffer.from('any bytes'.repeat(100_000));
      const input = execFileSync(tool, ['-c', '-q'], { input: archive });
      expect(await ask('PUT', path('/tmp'), input)).toMatchObject({ status: 200 });
      expect(files.written.at(-1)?.archive.equals(archive)).toBe(true);
      const answer = await ask('PUT', path('/tmp'), input.subarray(0, -20));
      expect(answer.status).toBe(400);
      expect(JSON.parse(answer.bytes.toString())).toMatchObject({
        ...{ code: 'invalid-argument', message: expect.stringContaining('ends too early') },
      });
      // The agent may refuse it for another reason while it is still sent.
      files.refusal = new FakeRefusal('disk-full', 'because');
      const full = execFileSync(tool, ['-c', '-q'], {
        input: randomBytes(4 * 1024 * 1024),
        maxBuffer: 2 ** 24,
      });
      expect((await ask('PUT', path('/tmp'), full)).status).toBe(500);
    },
  );
});

describe('changes and export', () => {
  it('lists what differs from the image', async () => {
    files.changed = [
      { path: '/etc', kind: 0 },
      { path: '/etc/new', kind: 1 },
      { path: '/etc/old', kind: 2 },
    ];
    expect(await home.call('GET', `/containers/${id}/changes`)).toMatchObject({
      status: 200,
      body: [
        { Path: '/etc', Kind: 0 },
        { Path: '/etc/new', Kind: 1 },
        { Path: '/etc/old', Kind: 2 },
      ],
    });
  });

  it('answers an empty list where nothing differs', async () => {
    files.changed = [];
    expect((await home.call('GET', `/containers/${id}/changes`)).body).toEqual([]);
  });

  it('exports the root of a box', async () => {
    files.root = Buffer.from('all files'.repeat(100_000));
    const answer = await ask('GET', `/containers/${id}/export`);
    expect(answer).toMatchObject({ status: 200, type: 'application/octet-stream', complete: true });
    expect(answer.bytes.equals(files.root)).toBe(true);
  });
});

describe('Docker’s own command line', () => {
  const run = (args: readonly string[], input?: Buffer) => docker(home.config.socket, args, input);

  it('docker cp copies in both directions', async () => {
    const file = join(home.config.home, 'local');
    writeFileSync(file, 'content');
    expect(await run(['cp', file, `${id}:/tmp`])).toMatchObject({ code: 0 });
    const last = files.written.at(-1);
    expect(last).toMatchObject({ path: '/tmp', keepKinds: true, ofUser: false });
    expect(last?.archive.includes('content')).toBe(true);
    const { archive } = last ?? {};
    files.paths.set('/tmp/local', { stat: { mode: 0o644 }, ...(archive ? { archive } : {}) });
    expect(await run(['cp', `${id}:/tmp/local`, `${file}-back`])).toMatchObject({ code: 0 });
    expect(readFileSync(`${file}-back`, 'utf8')).toBe('content');
    const missing = await run(['cp', `${id}:/absent`, '.']);
    expect(missing.code).toBe(1);
    expect(missing.stderr).toContain('Could not find the file /absent in container');
  });

  it('lists changes, and exports', async () => {
    files.changed = [{ path: '/etc/new', kind: 1 }];
    expect((await run(['diff', id])).stdout).toBe('A /etc/new\n');
    files.root = Buffer.from('all files');
    expect((await run(['export', id])).stdout).toBe('all files');
  });
});

it('publishes copies as events', async () => {
  const published = vi.spyOn(home.runtime.events, 'publish');
  await ask('GET', path('/'));
  await ask('PUT', path('/tmp'), Buffer.alloc(1024));
  const actions = published.mock.calls.map(([, action]) => action);
  published.mockRestore();
  expect(actions).toEqual(['archive-path', 'extract-to-dir']);
});
