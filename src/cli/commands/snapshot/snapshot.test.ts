import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { type Transcript, transcript } from '../../testing/fake-context.ts';
import { serveFake } from '../../testing/serve-fake.ts';

const { server, socket } = serveFake();

const a3s = (...args: string[]): Promise<Transcript> => transcript(socket, args);

const ID = '3'.repeat(64);
const SNAPSHOT = {
  ...{ id: ID, name: 'warm', box: { id: '4'.repeat(64), name: 'web', image: 'web:1' } },
  createdAt: new Date(Date.now() - 90_000).toISOString(),
  ...{ state: 'ready', kind: 'memory', memoryBytes: 76_100_000, diskBytes: 400_000 },
  ...{ pausedMs: 90, boxes: ['5'.repeat(64)] },
};

describe('snapshot', () => {
  it('lists snapshots as a table, as ids, and by a format', async () => {
    server.answers.set('GET /a3s/v1/snapshots', { json: { snapshots: [SNAPSHOT] } });
    expect((await a3s('snapshot', 'ls')).stdout).toBe(
      [
        'SNAPSHOT ID    NAME      KIND      BOX       IMAGE     CREATED              MEMORY    DISK      STATE',
        '333333333333   warm      memory    web       web:1     About a minute ago   76.1MB    400kB     ready',
        '',
      ].join('\n'),
    );
    expect((await a3s('snapshot', 'ls', '-q', '--no-trunc')).stdout).toBe(`${ID}\n`);
    const format = '{{.Name}} {{.Boxes}}';
    expect((await a3s('snapshot', 'ls', '--format', format)).stdout).toBe('warm 1\n');
  });

  it('creates a snapshot of one box, and warns about what it does not keep', async () => {
    const json = { ...SNAPSHOT, warnings: ['connections are reset'] };
    server.answers.set('POST /a3s/v1/snapshots', { status: 201, json });
    const made = await a3s('snapshot', 'create', '--memory', '--name', 'warm', 'web');
    expect(made).toMatchObject({
      ...{ status: 0, stdout: `${ID}\n` },
      stderr: 'WARNING: connections are reset\n',
    });
    const body = server.called('POST /a3s/v1/snapshots')?.body ?? '';
    expect(JSON.parse(body)).toEqual({ box: 'web', name: 'warm', memory: true });
  });

  it('asks for a snapshot of the disk alone without --memory', async () => {
    const json = { ...SNAPSHOT, kind: 'disk', warnings: [] };
    server.answers.set('POST /a3s/v1/snapshots', { status: 201, json });
    expect(await a3s('snapshot', 'create', 'web')).toMatchObject({ status: 0, stderr: '' });
    const body = server.called('POST /a3s/v1/snapshots')?.body ?? '';
    expect(JSON.parse(body)).toEqual({ box: 'web', memory: false });
  });

  it('restores a snapshot by name', async () => {
    server.answers.set('POST /a3s/v1/snapshots/clean/restore', { status: 204 });
    expect(await a3s('snapshot', 'restore', 'clean')).toMatchObject({
      ...{ status: 0, stdout: 'clean\n' },
    });
  });

  it('asks before it prunes snapshots, of those whose memory is gone or of all', async () => {
    const json = { removed: [ID], freedBytes: 76_100_000 };
    server.answers.set('POST /a3s/v1/snapshots/prune', { json });
    const stdin = new PassThrough();
    stdin.end('n\n');
    const refused = await transcript(socket, ['snapshot', 'prune'], { stdin });
    expect(refused.stdout).toContain('all snapshots whose memory is gone');
    expect(server.log).toEqual([]);
    expect(await a3s('snapshot', 'prune', '-af')).toMatchObject({
      status: 0,
      stdout: `Deleted Snapshots:\n${ID}\n\nTotal reclaimed space: 76.1MB\n`,
    });
    expect(server.calls.at(-1)?.query).toContainEqual(['all', 'true']);
  });

  it('removes a snapshot by name', async () => {
    server.answers.set('DELETE /a3s/v1/snapshots/warm', { status: 204 });
    expect(await a3s('snapshot', 'rm', 'warm')).toMatchObject({ status: 0, stdout: 'warm\n' });
  });
});

describe('run --from-snapshot', () => {
  it.each([
    [['-m', '1g'], '--memory'],
    [['--cpus', '2'], '--cpus'],
    [['-e', 'A=1'], '--env'],
    [['-v', '/a:/b'], '--volume'],
    [['--mount', 'target=/b'], '--mount'],
    [['--volume-driver', 'local'], '--volume-driver'],
    [['-it'], '--interactive'],
    [['--network', 'none'], '--network'],
    [['--entrypoint', 'x'], '--entrypoint'],
    [['--pull', 'never'], '--pull'],
  ])('refuses %j with --from-snapshot before it asks the server', async (args, flag) => {
    const before = server.calls.length;
    const { status, stderr } = await a3s('run', '-d', ...args, '--from-snapshot', 'warm');
    expect(status).toBe(125);
    expect(stderr).toContain(`${flag} with --from-snapshot`);
    expect(server.calls.length).toBe(before);
  });

  it('refuses an image and a command with --from-snapshot', async () => {
    const { status, stderr } = await a3s('run', '--from-snapshot', 'warm', 'busybox', 'true');
    expect(status).toBe(125);
    expect(stderr).toContain('the image and command busybox true');
  });

  it('requires either an image or --from-snapshot', async () => {
    const { status, stderr } = await a3s('run', '-d');
    expect(status).not.toBe(0);
    expect(stderr).toContain('requires at least 1 argument');
    expect((await a3s('run', '--from-snapshot', '')).status).toBe(125);
  });
});
