import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { type FakeEnds, type Transcript, transcript } from '../../testing/fake-context.ts';
import { serveFake } from '../../testing/serve-fake.ts';

const { server, socket } = serveFake();

const a3s = (args: readonly string[], ends: FakeEnds = {}): Promise<Transcript> =>
  transcript(socket, ['template', ...args], ends);

const ONE = '1'.repeat(64);
const TWO = '2'.repeat(64);
const TEMPLATES = [
  {
    ...{ id: ONE, state: 'in use', cpus: 1, memoryBytes: 512 * 2 ** 20, sizeBytes: 84_800_000 },
    ...{ createdAt: new Date(Date.now() - 7_300_000).toISOString(), uses: 3 },
    lastUsedAt: new Date(Date.now() - 90_000).toISOString(),
  },
  {
    ...{ id: TWO, state: 'making', cpus: 2, memoryBytes: 512 * 2 ** 20, sizeBytes: 0 },
    ...{ createdAt: new Date(Date.now() - 2000).toISOString(), uses: 0 },
  },
];

describe('template ls', () => {
  const list = (...args: string[]): Promise<Transcript> => {
    server.answers.set('GET /a3s/v1/templates', { json: { templates: TEMPLATES } });
    return a3s(['ls', ...args]);
  };

  it('lists templates as a table', async () => {
    expect((await list()).stdout).toBe(
      [
        'TEMPLATE ID    CPUS      MEMORY    SIZE      CREATED         USED                 STATE',
        '111111111111   1         512MiB    84.8MB    2 hours ago     About a minute ago   in use',
        '222222222222   2         512MiB    0B        2 seconds ago   never                making',
        '',
      ].join('\n'),
    );
  });

  it('lists templates by id, by full id, and by a format', async () => {
    expect((await list('-q')).stdout).toBe('111111111111\n222222222222\n');
    expect((await list('-q', '--no-trunc')).stdout).toBe(`${ONE}\n${TWO}\n`);
    expect((await list('--format', '{{.ID}} {{.Uses}} {{.State}}')).stdout).toBe(
      '111111111111 3 in use\n222222222222 0 making\n',
    );
    const [line = ''] = (await list('--format', 'json')).stdout.split('\n');
    expect(JSON.parse(line)).toMatchObject({ ID: '111111111111', CPUs: '1', State: 'in use' });
  });

  it('sends the filters of template ls to the server', async () => {
    await list('--filter', 'state=loaded', '-f', 'cpus=2');
    const filters = server.called('GET /a3s/v1/templates')?.query.get('filters') ?? '';
    expect(JSON.parse(filters)).toEqual({ state: ['loaded'], cpus: ['2'] });
  });
});

describe('template inspect', () => {
  it('inspects templates, and reports missing ones', async () => {
    server.answers.set(`GET /a3s/v1/templates/${ONE}`, { json: TEMPLATES[0] });
    server.answers.set('GET /a3s/v1/templates/nine', {
      status: 404,
      json: { code: 'no-such-template', message: 'No such template: nine' },
    });
    const result = await a3s(['inspect', ONE, 'nine']);
    expect(JSON.parse(result.stdout)).toEqual([TEMPLATES[0]]);
    expect(result).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('No such template: nine (no-such-template)'),
    });
    expect((await a3s(['inspect', '-f', '{{.cpus}}', ONE])).stdout).toBe('1\n');
  });
});

describe('template warm', () => {
  const lines = [
    { cpus: 1, id: ONE, status: 'ready' },
    { cpus: 2, id: TWO, status: 'waiting' },
    { cpus: 2, id: TWO, status: 'making' },
    { cpus: 2, id: TWO, status: 'ready' },
  ];

  it('shows the progress of template warm, and ends when all are ready', async () => {
    server.answers.set('POST /a3s/v1/templates/warm', { lines });
    expect(await a3s(['warm', '--cpus', '1', '--cpus=2'])).toMatchObject({
      status: 0,
      stdout: [
        '111111111111: 1 CPU: Ready',
        '222222222222: 2 CPUs: Waiting for its turn',
        '222222222222: 2 CPUs: Booting and preparing a microVM',
        '222222222222: 2 CPUs: Ready',
        '',
      ].join('\n'),
    });
    expect(server.called('POST /a3s/v1/templates/warm')?.body).toBe('{"cpus":[1,2]}');
    expect((await a3s(['warm', '-q'])).stdout).toBe('111111111111\n222222222222\n');
    expect(server.calls.at(-1)?.body).toBe('{}');
  });

  it('prints the server’s error in template warm', async () => {
    const failure = { code: 'agent-timeout', error: 'too late', remedy: 'Wait.' };
    server.answers.set('POST /a3s/v1/templates/warm', { lines: [lines[1], failure] });
    expect(await a3s(['warm'])).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/too late \(agent-timeout\)\nWait\.\n/),
    });
  });

  it.each(['0', '1.5', 'x', '-1', '99999'])(
    'requires a whole number of CPUs for template warm, not %s',
    async (cpus) => {
      const result = await a3s(['warm', `--cpus=${cpus}`]);
      expect(result.status).toBe(125);
      expect(result.stderr).toContain('must be a whole number');
      expect(server.log).toEqual([]);
    },
  );
});

describe('template rm', () => {
  it('removes each template, and reports the ones it could not remove', async () => {
    server.answers.set('DELETE /a3s/v1/templates/111', { json: { removed: ONE } });
    server.answers.set('DELETE /a3s/v1/templates/222', {
      status: 409,
      json: { code: 'conflict', message: 'running boxes use it' },
    });
    expect(await a3s(['rm', '111', '222'])).toMatchObject({
      ...{ status: 1, stdout: `${ONE}\n` },
      stderr: expect.stringContaining('running boxes use it (conflict)'),
    });
  });
});

describe('template prune', () => {
  const answer = { json: { removed: [ONE, TWO], freedBytes: 84_800_000 } };

  it('asks before it prunes templates', async () => {
    server.answers.set('POST /a3s/v1/templates/prune', answer);
    const stdin = new PassThrough();
    stdin.end('n\n');
    const refused = await a3s(['prune'], { stdin });
    expect(refused.status).toBe(0);
    expect(server.log).toEqual([]);
    expect(await a3s(['prune', '-f'])).toMatchObject({
      status: 0,
      stdout: `Deleted Templates:\n${ONE}\n${TWO}\n\nTotal reclaimed space: 84.8MB\n`,
    });
  });
});
