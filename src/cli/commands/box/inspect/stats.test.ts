import { describe, expect, it } from 'vitest';
import { type FakeEnds, type Transcript, transcript } from '../../../testing/fake-context.ts';
import { serveFake } from '../../../testing/serve-fake.ts';

const { server, socket } = serveFake();

const a3s = (line: readonly string[], ends: FakeEnds = {}): Promise<Transcript> =>
  transcript(socket, line, ends);

const ID = 'f'.repeat(64);

/** One sample: half of one of two processors, as Docker's API has it. */
const SAMPLE = {
  id: ID,
  name: '/web',
  cpu_stats: {
    cpu_usage: { total_usage: 2_500_000_000 },
    system_cpu_usage: 20_000_000_000,
    online_cpus: 2,
  },
  precpu_stats: {
    cpu_usage: { total_usage: 2_000_000_000 },
    system_cpu_usage: 18_000_000_000,
    online_cpus: 2,
  },
  memory_stats: {
    usage: 60 * 1024 ** 2,
    limit: 512 * 1024 ** 2,
    stats: { inactive_file: 10 * 1024 ** 2 },
  },
  networks: { eth0: { rx_bytes: 1_500, tx_bytes: 20 }, eth1: { rx_bytes: 500, tx_bytes: 0 } },
  blkio_stats: {
    io_service_bytes_recursive: [
      { major: 8, minor: 0, op: 'read', value: 4_260_000 },
      { major: 8, minor: 0, op: 'Write', value: 0 },
    ],
  },
  pids_stats: { current: 7 },
};

const TABLE =
  'CONTAINER ID   NAME      CPU %     MEM USAGE / LIMIT   MEM %     NET I/O     BLOCK I/O     PIDS\n' +
  'ffffffffffff   web       50.00%    50MiB / 512MiB      9.77%     2kB / 20B   4.26MB / 0B   7\n';

function serveSample(): void {
  server.answers.set('GET /containers/json', { json: [{ Id: ID }] });
  server.answers.set('GET /containers/web/stats', { lines: [SAMPLE] });
  server.answers.set(`GET /containers/${ID}/stats`, { lines: [SAMPLE], endless: true });
  server.answers.set('GET /events', { endless: true });
}

describe('a box whose stats are refused', () => {
  const OTHER = 'e'.repeat(64);
  const refusal = { status: 403, json: { message: 'not permitted', code: 'host-not-permitted' } };
  const gone = { status: 404, json: { message: 'No such container', code: 'no-such-box' } };

  it('shows a row without numbers for a refused box, and no row for a removed one', async () => {
    serveSample();
    const third = 'd'.repeat(64);
    server.answers.set('GET /containers/json', {
      json: [{ Id: OTHER }, { Id: ID }, { Id: third }],
    });
    server.answers.set(`GET /containers/${OTHER}/stats`, refusal);
    server.answers.set(`GET /containers/${third}/stats`, gone);
    server.answers.set(`GET /containers/${ID}/stats`, { lines: [SAMPLE] });
    const done = await a3s(['stats', '--no-stream', '--format', '{{.Name}} {{.PIDs}}']);
    expect(done).toMatchObject({ status: 0, stdout: '-- --\nweb 7\n', stderr: '' });
  });

  it('reports an error for a named box whose stats are refused', async () => {
    server.answers.set('GET /containers/secret/stats', refusal);
    const done = await a3s(['stats', '--no-stream', 'secret']);
    expect(done).toMatchObject({ status: 1, stdout: '' });
    expect(done.stderr).toContain('not permitted');
  });
});

describe('stats --no-stream', () => {
  it('computes the same numbers as docker stats', async () => {
    serveSample();
    const done = await a3s(['stats', '--no-stream', 'web']);
    expect(done).toMatchObject({ status: 0, stdout: TABLE, stderr: '' });
    expect(server.called('GET /containers/web/stats')?.query.get('stream')).toBe('0');
  });

  it.each([
    [['--format', '{{.Container}} {{.CPUPerc}} {{.PIDs}}'], 'web 50.00% 7\n'],
    [['--format', 'table {{.Name}}\\t{{.MemPerc}}'], 'NAME      MEM %\nweb       9.77%\n'],
    [['--no-trunc', '--format', '{{.ID}}'], `${ID}\n`],
  ])('formats stats with %j', async (args, stdout) => {
    serveSample();
    expect(await a3s(['stats', '--no-stream', ...args, 'web'])).toMatchObject({
      status: 0,
      stdout,
    });
  });

  it('prints stats as JSON', async () => {
    serveSample();
    const done = await a3s(['container', 'stats', '--no-stream', '--format', 'json', 'web']);
    expect(JSON.parse(done.stdout)).toEqual({
      BlockIO: '4.26MB / 0B',
      CPUPerc: '50.00%',
      Container: 'web',
      ID: 'ffffffffffff',
      MemPerc: '9.77%',
      MemUsage: '50MiB / 512MiB',
      Name: 'web',
      NetIO: '2kB / 20B',
      PIDs: '7',
    });
  });

  it.each([
    [{}, '0.00% 0B / 0B 0.00% 0B / 0B 0'],
    [{ ...SAMPLE, precpu_stats: SAMPLE.cpu_stats }, '0.00% 50MiB / 512MiB 9.77% 2kB / 20B 7'],
    [
      { ...SAMPLE, memory_stats: { usage: 5, limit: 10, stats: { inactive_file: 6 } } },
      '50.00% 5B / 10B 50.00% 2kB / 20B 7',
    ],
  ])('computes stats from the document %j', async (json, text) => {
    server.answers.set('GET /containers/web/stats', { json });
    const format = '{{.CPUPerc}} {{.MemUsage}} {{.MemPerc}} {{.NetIO}} {{.PIDs}}';
    const done = await a3s(['stats', '--no-stream', '--format', format, 'web']);
    expect(done.stdout).toBe(`${text}\n`);
  });

  it('reports a missing box in stats', async () => {
    expect(await a3s(['stats', '--no-stream', 'two'])).toMatchObject({
      status: 1,
      stdout: '',
      stderr: 'a3s-box: No such box: two (no-such-box)\n',
    });
  });

  it('refuses a malformed format of stats before it asks the server', async () => {
    expect(await a3s(['stats', '--format', '{{.Foo'])).toMatchObject({ status: 1 });
    expect(server.log).toEqual([]);
  });
});

describe('stats', () => {
  it('shows stats of the running boxes until a signal, and closes every stream', async () => {
    serveSample();
    const done = await a3s(['stats'], {
      onOutput: (soFar, signal) => {
        if (soFar.length > TABLE.length) signal('SIGINT');
      },
    });
    expect(done.status).toBe(130);
    expect(done.stdout.startsWith(TABLE.repeat(2))).toBe(true);
    expect(server.called('GET /containers/json')?.query.get('all')).toBe('0');
    expect(server.called(`GET /containers/${ID}/stats`)?.query.get('stream')).toBe('1');
    await expect.poll(() => server.left).toBe(2);
  });

  it('redraws stats in place on a terminal', async () => {
    serveSample();
    const done = await a3s(['stats'], {
      terminal: true,
      onOutput: (soFar, signal) => {
        if (soFar.includes('web')) signal('SIGINT');
      },
    });
    const lines = TABLE.replaceAll('\n', '\x1b[K\n');
    expect(done.stdout).toBe(`\x1b[2J\x1b[H${lines}\x1b[J`);
  });

  it('ends stats when the named boxes are gone', async () => {
    serveSample();
    server.answers.set('GET /containers/one/stats', { lines: [] });
    expect(await a3s(['stats', 'one'])).toMatchObject({ status: 0, stderr: '' });
  });

  it('adds started boxes to stats, and removes ended ones', async () => {
    const event = (Action: string) => ({ Type: 'container', Action, Actor: { ID } });
    server.answers.set('GET /containers/json', { json: [] });
    server.answers.set(`GET /containers/${ID}/stats`, { lines: [SAMPLE], endless: true });
    server.answers.set('GET /events', { lines: [event('start')], endless: true });
    const done = await a3s(['stats', '--format', '{{.Name}}'], {
      onOutput: (soFar, signal) => {
        if (soFar.includes('web')) signal('SIGINT');
      },
    });
    expect(done.status).toBe(130);
    expect(done.stdout).toMatch(/(^|\n)web\n$/);
    server.answers.set('GET /containers/json', { json: [{ Id: ID }] });
    server.answers.set('GET /events', { lines: [event('start'), event('die')] });
    const lost = await a3s(['stats', '--format', '{{.Name}}']);
    expect(lost.status).toBe(1);
    expect(lost.stderr).toContain('(server-unreachable)');
  });
});
