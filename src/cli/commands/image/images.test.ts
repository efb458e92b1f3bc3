import { spawnSync } from 'node:child_process';
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { docker } from '../../../server/testing/docker.ts';
import type { Entry } from '../../command-entry.ts';
import { COMMANDS, GROUPS } from '../../command-table/command-table.ts';
import { type FakeEnds, type Transcript, transcript } from '../../testing/fake-context.ts';
import { serveFake } from '../../testing/serve-fake.ts';

const { server, socket } = serveFake();

const a3s = (args: readonly string[], ends: FakeEnds = {}): Promise<Transcript> =>
  transcript(socket, args, ends);

const ONE = `sha256:${'1'.repeat(64)}`;
const TWO = `sha256:${'2'.repeat(64)}`;
const YEARS_AGO = 1_600_000_000;

describe('history', () => {
  const STEPS = [
    {
      Id: ONE,
      Created: YEARS_AGO,
      CreatedBy: 'CMD\t["sh"] and much more that is far too long for a column',
      Size: 0,
      Comment: 'buildkit',
    },
    { Id: '<missing>', Created: YEARS_AGO, CreatedBy: 'ADD x', Size: 4_261_502, Comment: '' },
    { Id: '<missing>', Created: 0, CreatedBy: '', Size: 1_500, Comment: 'imported' },
  ];

  it.each([
    [[]],
    [['--no-trunc']],
    [['-H=false']],
    [['-q']],
    [['-q', '--no-trunc']],
    [['--format', '{{.ID}} {{.CreatedAt}} {{.CreatedSince}} {{.Size}}']],
    [['--format', 'table {{.CreatedBy}}\\t{{.Size}}']],
  ])('shows the same history as docker with %j', async (args) => {
    server.answers.set('GET /images/a%3A1/history', { json: STEPS });
    server.answers.set('GET /images/a:1/history', { json: STEPS });
    const theirs = await docker(socket, ['history', ...args, 'a:1']);
    expect(theirs).toMatchObject({ code: 0, stderr: '' });
    expect((await a3s(['image', 'history', ...args, 'a:1'])).stdout).toBe(theirs.stdout);
  });
});

describe('system df', () => {
  const USAGE = {
    LayersSize: 123_456_789,
    Images: [
      {
        Id: ONE,
        RepoTags: ['a:1', 'b:2'],
        RepoDigests: [],
        Created: YEARS_AGO,
        Size: 1_234_567,
        SharedSize: 4_567,
        Containers: 1,
      },
      {
        Id: TWO,
        RepoTags: [],
        RepoDigests: [],
        Created: YEARS_AGO,
        Size: 1_234_567,
        SharedSize: 0,
        Containers: 0,
      },
    ],
    Containers: [
      {
        Id: 'c'.repeat(64),
        Image: 'a:1',
        Command: 'sleep infinity',
        Created: YEARS_AGO,
        State: 'running',
        Status: 'Up 2 hours',
        Names: ['/web'],
        SizeRw: 5_000,
        Mounts: [
          { Type: 'bind', Source: '/srv', Destination: '/srv' },
          { Type: 'volume', Name: 'data', Source: '/v/data', Driver: 'local' },
          { Type: 'volume', Name: 'more', Source: '/v/more', Driver: 'local' },
        ],
        Labels: {},
      },
      {
        Id: 'd'.repeat(64),
        Image: 'a:1',
        Command: 'sh',
        Created: YEARS_AGO,
        State: 'exited',
        Status: 'Exited (0) 2 hours ago',
        Names: ['/done'],
        SizeRw: 1_000,
        Mounts: [],
        Labels: {},
      },
    ],
    Volumes: [
      volume('data', { Size: 3_000_000, RefCount: 2 }),
      volume('spare', { Size: 1_500_000, RefCount: 0 }),
      volume('unmeasured', { Size: -1, RefCount: 0 }),
    ],
    BuildCache: [
      cache('abcdefghijklmnop', { Size: 5_000_000, InUse: true }),
      cache('b', { Size: 1_234_567, Type: 'source.local', UsageCount: 3 }),
      cache('c', { Size: 7_000_000, Shared: true, LastUsedAt: null }),
    ],
  };
  function cache(ID: string, more: object) {
    const times = { CreatedAt: '2026-01-02T03:04:05Z', LastUsedAt: '2026-01-03T03:04:05Z' };
    const none = { InUse: false, Shared: false, UsageCount: 0 };
    return { ID, Type: 'regular', Description: 'of a test', ...none, ...times, ...more };
  }
  function volume(Name: string, UsageData: object) {
    return { Name, Driver: 'local', Labels: null, Mountpoint: '/v', Scope: 'local', UsageData };
  }

  it.each([
    [[], USAGE],
    [[], { LayersSize: 0 }],
    [[], { ...USAGE, Volumes: [] }],
    [[], { ...USAGE, Volumes: [volume('empty', { Size: 0, RefCount: 1 })] }],
    [['--format', 'json'], USAGE],
    [['--format', '{{.Type}}: {{.Reclaimable}}'], USAGE],
  ])('shows the same disk usage as docker with %j', async (args, json) => {
    server.answers.set('GET /system/df', { json });
    const theirs = await docker(socket, ['system', 'df', ...args]);
    expect(theirs).toMatchObject({ code: 0, stderr: '' });
    expect((await a3s(['system', 'df', ...args])).stdout).toBe(theirs.stdout);
  });

  it('shows the same detailed disk usage as docker with -v', async () => {
    server.answers.set('GET /system/df', { json: USAGE });
    const theirs = await docker(socket, ['system', 'df', '-v']);
    expect(theirs.stdout).toContain('\nBuild cache usage: 6.235MB\n');
    const { stdout } = await a3s(['system', 'df', '-v']);
    expect(stdout).toBe(theirs.stdout);
    expect(stdout).toMatch(/\nVOLUME NAME +LINKS +SIZE\ndata +2 +3MB\nspare +0 +1.5MB\n/);
    const json = JSON.parse((await a3s(['system', 'df', '-v', '--format', 'json'])).stdout);
    expect(json.Volumes[1]).toMatchObject({ Name: 'spare', Links: '0', Size: '1.5MB' });
    expect(json.Images[0]).toMatchObject({ Repository: 'a', UniqueSize: '1.23MB' });
  });
});

describe('image prune', () => {
  const ask = (args: readonly string[], answer?: string): Promise<Transcript> => {
    server.answers.set('POST /images/prune', {
      json: {
        ImagesDeleted: [{ Untagged: 'a:1' }, { Deleted: ONE }],
        SpaceReclaimed: 1_234_567,
      },
    });
    const stdin = new PassThrough();
    stdin.end(answer);
    return a3s(['image', 'prune', ...args], { stdin });
  };

  it.each([
    [['-f'], ''],
    [['-f', '-a', '--filter', 'until=24h'], ''],
    [[], 'y\n'],
    [[], 'n\n'],
    [[], ''],
    [[], 'Y\n'],
  ])('prunes images like docker with %j answered by %j', async (args, answer) => {
    const ours = await ask(args, answer);
    const asked = server.log.length;
    const theirs = await docker(socket, ['image', 'prune', ...args], answer);
    expect(ours.stdout).toBe(theirs.stdout);
    expect(ours.status).toBe(theirs.code);
    expect(asked).toBe(ours.stdout.includes('reclaimed') ? 1 : 0);
  });

  it('prunes dangling images, or all with -a', async () => {
    await ask(['-f', '--filter', 'until=24h', '--filter', 'label=a']);
    expect(JSON.parse(String(server.calls.at(-1)?.query.get('filters')))).toEqual({
      dangling: ['true'],
      until: ['24h'],
      label: ['a'],
    });
    const all = await ask(['-a'], 'y\n');
    expect(all.stdout).toMatch(
      /^WARNING! This will remove all images without at least one box associated to them\.\nAre you/,
    );
    expect(JSON.parse(String(server.calls.at(-1)?.query.get('filters')))).toEqual({
      dangling: ['false'],
    });
  });

  it('reports that there was nothing to prune', async () => {
    const json = { ImagesDeleted: null, SpaceReclaimed: 0 };
    server.answers.set('POST /images/prune', { json });
    const stdin = new PassThrough();
    stdin.end('y');
    const { stdout } = await a3s(['image', 'prune'], { stdin });
    expect(stdout).toMatch(/\[y\/N\] Total reclaimed space: 0B\n$/);
  });
});

describe('images --tree', () => {
  it('shows manifests and attachments under each image', async () => {
    const manifest = (digit: string, architecture: string) => ({
      ID: `sha256:${digit.repeat(64)}`,
      Kind: 'image',
      Available: true,
      Size: { Content: 4_000_000, Total: 10_000_000 },
      ImageData: { Platform: { os: 'linux', architecture }, Containers: [] },
    });
    server.answers.set('GET /images/json', {
      json: [
        {
          Id: ONE,
          RepoTags: ['busybox:1', 'r.example/busybox:1'],
          Size: 5,
          Containers: 1,
          Manifests: [manifest('3', 'amd64'), manifest('4', 'arm64')],
        },
        { Id: TWO, RepoTags: [], Size: 1_500, Containers: 0 },
      ],
    });
    server.answers.set(`GET /a3s/v1/images/${encodeURIComponent(ONE)}/attachments`, {
      json: [{}, {}],
    });
    server.answers.set(`GET /a3s/v1/images/${encodeURIComponent(TWO)}/attachments`, { json: [] });
    expect((await a3s(['images', '--tree', 'busybox'])).stdout).toBe(
      'IMAGE                 ID             DISK USAGE   CONTENT SIZE   USED\n' +
        'busybox:1\n' +
        'r.example/busybox:1   111111111111         20MB            8MB   ✔\n' +
        '├─ linux/amd64        333333333333         10MB            4MB\n' +
        '├─ linux/arm64        444444444444         10MB            4MB\n' +
        '└─ 2 attachments\n' +
        '<untagged>            222222222222        1.5kB          1.5kB\n',
    );
    expect(server.called('GET /images/json')?.query.get('manifests')).toBe('1');
  });
});

describe('flags', () => {
  const COMPARED = [
    ...['pull', 'push', 'login', 'logout', 'tag', 'history', 'save', 'import', 'rmi', 'images'],
    ...['load', 'image prune', 'image inspect', 'system df', 'events', 'run', 'create', 'start'],
  ];

  it.each(COMPARED)('accepts the same flags as docker for %s', async (path) => {
    const help = spawnSync('docker', [...path.split(' '), '--help'], { encoding: 'utf8' }).stdout;
    const theirs = [...help.matchAll(/^ {2,6}(?:-(\w), )?--([\w-]+)/gm)];
    expect(theirs.length === 0).toBe(path === 'logout' || path === 'tag');
    const { flags } = await entryOf(path).load();
    for (const [, short, name] of theirs) {
      const flag = flags.find((candidate) => candidate.name === name);
      expect({ name, short: flag?.short }).toEqual({ name, short });
    }
  });

  it('fits the help of image commands into the page', async () => {
    const paths = [
      ...Object.keys(COMMANDS),
      ...Object.entries(GROUPS).flatMap(([name, group]) => [
        name,
        ...Object.keys(group.commands).map((verb) => `${name} ${verb}`),
      ]),
    ];
    for (const path of paths) {
      const { status, stdout } = await a3s([...path.split(' '), '--help']);
      expect(status).toBe(0);
      for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(100);
    }
    expect(server.log).toEqual([]);
  });
});

function entryOf(path: string): Entry {
  const [group = '', verb] = path.split(' ');
  const entry = verb === undefined ? COMMANDS[group] : GROUPS[group]?.commands[verb];
  if (entry === undefined) throw new Error(`no command ${path}`);
  return entry;
}
