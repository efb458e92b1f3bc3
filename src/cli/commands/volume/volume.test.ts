// The commands beside those of Docker's own command line, against the same answers.
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { VolumeCreateBody } from '../../../docker-api/volume.ts';
import { docker } from '../../../server/testing/docker.ts';
import { type Transcript, transcript } from '../../testing/fake-context.ts';
import { serveFake } from '../../testing/serve-fake.ts';

const { server, socket } = serveFake();

function a3s(args: readonly string[], answer = ''): Promise<Transcript> {
  const stdin = new PassThrough();
  stdin.end(answer);
  return transcript(socket, ['volume', ...args], { stdin });
}

const theirs = (args: readonly string[], answer = '') =>
  docker(socket, ['volume', ...args], answer);

function volume(Name: string, Labels: Record<string, string> | null = null) {
  return {
    ...{ CreatedAt: '2026-01-02T03:04:05Z', Driver: 'local', Labels },
    ...{ Mountpoint: `/srv/volumes/${Name}/_data`, Name, Options: null, Scope: 'local' },
  };
}

const NO_SUCH = {
  status: 404,
  json: { code: 'no-such-volume', message: 'get nobody: no such volume' },
};
const filters = (): unknown => JSON.parse(server.calls.at(-1)?.query.get('filters') ?? 'null');

describe('volume create', () => {
  const body = (): Record<string, unknown> =>
    JSON.parse(server.called('POST /volumes/create')?.body ?? 'null');

  it.each([
    [[]],
    [['data']],
    [['--name', 'data']],
    [['-d', 'local', '--label', 'a=b=c', '--label', 'd', 'data']],
    [['-o', 'type=tmpfs', '--opt', 'o=size=1m,uid=1', '-o', 'x', 'data']],
    [['--driver', 'flocker', 'data']],
  ])('asks with %j for what Docker asks for', async (args) => {
    server.answers.set('POST /volumes/create', { status: 201, json: volume('made') });
    expect(await theirs(['create', ...args])).toMatchObject({ code: 0, stdout: 'made\n' });
    const asked = VolumeCreateBody.parse(body());
    server.calls.length = 0;
    expect(await a3s(['create', ...args])).toMatchObject({
      ...{ status: 0, stdout: 'made\n', stderr: '' },
    });
    expect(VolumeCreateBody.parse(body())).toEqual(asked);
  });

  it.each([
    [['--name', 'a', 'b'], 1, 'conflicting options: either specify --name or provide positional'],
    [['a', 'b'], 1, '"a3s-box volume create" requires at most 1 argument'],
    [['--label', '=a'], 125, `invalid argument "=a" for "--label" flag: invalid label '=a': empty`],
    [['--label', 'a b=c'], 125, "label 'a b' contains whitespaces"],
    [['--group', 'a'], 125, 'unsupported flag --group for volume create: there is no cluster mode'],
  ])('refuses volume create %j', async (args, status, why) => {
    const done = await a3s(['create', ...args]);
    expect(done.stderr).toContain(why);
    expect(done).toMatchObject({ status, stdout: '' });
    expect(server.log).toEqual([]);
  });

  it('gives the reason of the server', async () => {
    const json = { code: 'invalid-argument', message: 'volume name is too short' };
    server.answers.set('POST /volumes/create', { status: 400, json });
    expect(await a3s(['create', 'x'])).toMatchObject({
      ...{ status: 1, stderr: 'a3s-box: volume name is too short (invalid-argument)\n' },
    });
  });
});

describe('volume ls', () => {
  const VOLUMES = [
    volume('v10', { a: '1' }),
    volume('v9'),
    volume('data', {}),
    volume('v010'),
    volume('v'),
    volume('0a'),
    { ...volume('used'), UsageData: { Size: 4_261_502, RefCount: 2 } },
  ];

  it.each([
    [[]],
    [['-q']],
    [['-q', '--format', 'table']],
    [['-q', '--format', '{{.Driver}}']],
    [['--format', 'table']],
    [['--format', 'json']],
    [['--format', '{{json .}}']],
    [['--format', '{{.Name}} {{.Driver}} {{.Scope}} {{.Mountpoint}} {{.Labels}}']],
    [['--format', '{{.Name}} {{.Label "a"}} {{.Label "constructor"}} {{.Links}} {{.Size}}']],
    [['--format', 'table {{.Name}}\\t{{.Size}}\\t{{.Links}}\\t{{.Labels}}\\t{{.Scope}}']],
    [['--format', 'table {{.Mountpoint}}\\t{{.Group}}\\t{{.Availability}}\\t{{.Status}}']],
  ])("shows with %j what Docker's shows", async (args) => {
    server.answers.set('GET /volumes', { json: { Volumes: VOLUMES, Warnings: null } });
    const shown = await theirs(['ls', ...args]);
    expect(shown).toMatchObject({ code: 0, stderr: '' });
    expect(await a3s(['ls', ...args])).toMatchObject({ status: 0, stdout: shown.stdout });
    expect((await a3s(['list', ...args])).stdout).toBe(shown.stdout);
  });

  it.each([[null], [[]]])('shows headings alone for %j', async (Volumes) => {
    server.answers.set('GET /volumes', { json: { Volumes, Warnings: [] } });
    expect(await a3s(['ls'])).toMatchObject({ status: 0, stdout: 'DRIVER    VOLUME NAME\n' });
    expect(await a3s(['ls', '-q'])).toMatchObject({ status: 0, stdout: '' });
  });

  it('passes the filters of volume ls to the server', async () => {
    server.answers.set('GET /volumes', { json: { Volumes: [], Warnings: [] } });
    await a3s(['ls', '-f', 'dangling=true', '--filter', 'name=a', '--filter', 'name=b']);
    expect(filters()).toEqual({ dangling: ['true'], name: ['a', 'b'] });
    await a3s(['ls']);
    expect(filters()).toBeNull();
  });

  it.each([
    [['--format', '{{.Name'], 1, 'unclosed action'],
    [['-f', 'dangling'], 125, 'invalid argument "dangling" for "-f, --filter" flag'],
    [['--cluster'], 125, 'unsupported flag --cluster for volume ls: there is no cluster mode'],
    [['data'], 1, '"a3s-box volume ls" accepts no arguments'],
  ])('refuses volume ls %j', async (args, status, why) => {
    const done = await a3s(['ls', ...args]);
    expect(done.stderr).toContain(why);
    expect(done).toMatchObject({ status, stdout: '' });
    expect(server.log).toEqual([]);
  });
});

describe('volume inspect', () => {
  it.each([
    [['data']],
    [['data', 'other']],
    [['-f', '{{.Mountpoint}} {{index .Labels "a"}}', 'data']],
    [['--format', 'json', 'data']],
  ])("shows with %j what Docker's shows", async (args) => {
    server.answers.set('GET /volumes/data', { json: volume('data', { a: '1' }) });
    server.answers.set('GET /volumes/other', { json: volume('other') });
    const shown = await theirs(['inspect', ...args]);
    expect(shown.code).toBe(0);
    const done = await a3s(['inspect', ...args]);
    expect(done).toMatchObject({ status: 0, stderr: '' });
    expect(done.stdout).toBe(shown.stdout);
  });

  it('shows those that are there, and tells which is not', async () => {
    server.answers.set('GET /volumes/data', { json: volume('data') });
    server.answers.set('GET /volumes/nobody', NO_SUCH);
    const done = await a3s(['inspect', 'nobody', 'data']);
    expect(JSON.parse(done.stdout)).toEqual([volume('data')]);
    expect(done).toMatchObject({
      ...{ status: 1, stderr: 'a3s-box: get nobody: no such volume (no-such-volume)\n' },
    });
    expect(await a3s(['inspect', 'nobody'])).toMatchObject({ status: 1, stdout: '[]\n' });
    expect(await a3s(['inspect'])).toMatchObject({ status: 1, stdout: '' });
  });
});

describe('volume rm', () => {
  it('prints the name of each new volume', async () => {
    server.answers.set('DELETE /volumes/data', { status: 204 });
    server.answers.set('DELETE /volumes/b%2Fc', { status: 204 });
    expect(await a3s(['rm', 'data', 'b/c'])).toMatchObject({ status: 0, stdout: 'data\nb/c\n' });
    expect(await a3s(['remove', '-f', 'data'])).toMatchObject({ status: 0, stdout: 'data\n' });
    const forced = server.calls.map(({ query }) => query.get('force'));
    expect(forced.map((value) => value === '1' || value === 'true')).toEqual([false, false, true]);
  });

  it('removes what it can, and tells what it cannot', async () => {
    const message = 'remove used: volume is in use - [aaaa]';
    server.answers.set('DELETE /volumes/data', { status: 204 });
    server.answers.set('DELETE /volumes/nobody', NO_SUCH);
    server.answers.set('DELETE /volumes/used', {
      status: 409,
      json: { code: 'conflict', message },
    });
    expect(await a3s(['rm', 'nobody', 'used', 'data'])).toMatchObject({
      ...{ status: 1, stdout: 'data\n' },
      stderr:
        'a3s-box: get nobody: no such volume (no-such-volume)\n' +
        `a3s-box: ${message} (conflict)\n`,
    });
    const done = await a3s(['rm']);
    expect(done.stderr).toContain('"a3s-box volume rm" requires at least 1 argument');
    expect(done.status).toBe(1);
  });
});

describe('volume prune', () => {
  const PRUNED = { VolumesDeleted: ['a', 'b'], SpaceReclaimed: 1_234_567 };

  it.each([
    [['-f'], '', PRUNED],
    [['-f'], '', { VolumesDeleted: null, SpaceReclaimed: 5 }],
    [[], 'y\n', PRUNED],
    [[], 'n\n', PRUNED],
    [[], '', PRUNED],
    [['-a'], 'Y\n', PRUNED],
    [['-a', '--filter', 'label=x'], 'y\n', PRUNED],
    [['-f', '--filter', 'label!=x', '--filter', 'all=1'], '', PRUNED],
  ])('prunes volumes as Docker does with %j, answered with %j', async (args, answer, json) => {
    server.answers.set('POST /volumes/prune', { json });
    const shown = await theirs(['prune', ...args], answer);
    const asked = server.called('POST /volumes/prune');
    server.calls.length = 0;
    const done = await a3s(['prune', ...args], answer);
    expect(done.status).toBe(shown.code);
    expect(done.stdout).toBe(shown.stdout.replace('one container.', 'one box.'));
    expect(server.log).toEqual(asked === undefined ? [] : ['POST /volumes/prune']);
    expect(listsOf(filters())).toEqual(listsOf(JSON.parse(asked?.query.get('filters') ?? 'null')));
  });

  it('says what it will remove', async () => {
    const question = 'Are you sure you want to continue? [y/N] ';
    expect((await a3s(['prune'])).stdout).toBe(
      `WARNING! This will remove anonymous local volumes not used by at least one box.\n${question}`,
    );
    expect((await a3s(['prune', '-a'])).stdout).toBe(
      `WARNING! This will remove all local volumes not used by at least one box.\n${question}`,
    );
    expect(server.log).toEqual([]);
  });

  it.each([
    [['-a', '--filter', 'all=1'], 1, 'cannot specify both --all and --filter all=1'],
    [['--filter', 'x'], 125, 'invalid argument "x" for "--filter" flag'],
    [['x'], 1, '"a3s-box volume prune" accepts no arguments'],
  ])('refuses volume prune %j', async (args, status, why) => {
    const done = await a3s(['prune', ...args]);
    expect(done.stderr).toContain(why);
    expect(done).toMatchObject({ status, stdout: '' });
    expect(server.log).toEqual([]);
  });
});

describe('volume', () => {
  it.each([
    [['update', 'x'], 125, 'unsupported command volume update: there is no cluster mode'],
    [['make'], 1, "'volume make' is not an a3s-box command"],
  ])('volume has no command %j', async (args, status, why) => {
    const done = await a3s(args);
    expect(done.stderr).toContain(why);
    expect(done).toMatchObject({ status, stdout: '' });
  });
});

/** Docker's client writes values of a filter as a set, or as a list. */
function listsOf(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value as Record<string, readonly string[] | object>);
  return Object.fromEntries(
    entries.map(([name, values]) => [name, Array.isArray(values) ? values : Object.keys(values)]),
  );
}
