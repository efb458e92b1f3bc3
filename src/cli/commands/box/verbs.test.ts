import { describe, expect, it } from 'vitest';
import { type FakeEnds, type Transcript, transcript } from '../../testing/fake-context.ts';
import { serveFake } from '../../testing/serve-fake.ts';

const { server, socket } = serveFake();

const a3s = (line: string, ends: FakeEnds = {}): Promise<Transcript> =>
  transcript(socket, line.split(' '), ends);

const queryOf = (call: string): Record<string, string> =>
  Object.fromEntries(server.called(call)?.query ?? []);

describe('restart, pause, unpause, rm and rename', () => {
  it.each([
    ['restart one', 'POST /containers/one/restart', {}],
    ['restart -t 3 -s INT one', 'POST /containers/one/restart', { t: '3', signal: 'INT' }],
    ['container restart --time=0 one', 'POST /containers/one/restart', { t: '0' }],
    ['pause one', 'POST /containers/one/pause', {}],
    ['unpause one', 'POST /containers/one/unpause', {}],
    ['rm one', 'DELETE /containers/one', { force: '0', v: '0' }],
    ['rm -f -v one', 'DELETE /containers/one', { force: '1', v: '1' }],
    ['rm --volumes one', 'DELETE /containers/one', { force: '0', v: '1' }],
    ['rm -l one', 'DELETE /containers/one', { force: '0', link: '1', v: '0' }],
    ['kill -s HUP one', 'POST /containers/one/kill', { signal: 'HUP' }],
  ])('sends the request of: %s', async (line, call, query) => {
    await a3s('run -d one signals');
    expect(await a3s(line)).toMatchObject({ status: 0, stdout: 'one\n', stderr: '' });
    expect(queryOf(call)).toEqual(query);
  });

  it.each(['restart', 'pause', 'unpause'])(
    'changes with %s the boxes that exist, and reports the others',
    async (verb) => {
      await a3s('run -d one signals');
      expect(await a3s(`${verb} one two`)).toMatchObject({
        status: 1,
        stdout: 'one\n',
        stderr: 'a3s-box: No such box: two (no-such-box)\n',
      });
    },
  );

  it('rename prints nothing', async () => {
    await a3s('run -d one signals');
    expect(await a3s('rename one other')).toMatchObject({ status: 0, stdout: '', stderr: '' });
    expect(queryOf('POST /containers/one/rename')).toEqual({ name: 'other' });
    expect(await transcript(socket, ['rename', 'one', ''])).toMatchObject({ status: 1 });
  });
});

describe('top', () => {
  it('top prints the table of the server, and passes on ps options', async () => {
    const json = {
      Titles: ['UID', 'PID', 'CMD'],
      Processes: [
        ['root', '1', 'httpd -f'],
        ['nobody', '17', 'sh\x1b[31m\tx'],
      ],
    };
    server.answers.set('GET /containers/web/top', { json });
    const done = await a3s('top web -o pid,cmd');
    expect(done).toMatchObject({
      status: 0,
      stdout:
        'UID                 PID                 CMD\n' +
        'root                1                   httpd -f\n' +
        'nobody              17                  sh\u{fffd}[31m x\n',
    });
    expect(queryOf('GET /containers/web/top')).toEqual({ ps_args: '-o pid,cmd' });
  });
});

describe('port', () => {
  const Ports = {
    '8080/tcp': [
      { HostIp: '0.0.0.0', HostPort: '18080' },
      { HostIp: '127.0.0.1', HostPort: '18081' },
    ],
    '80/tcp': [{ HostIp: '0.0.0.0', HostPort: '32768' }],
    '4433/tcp': [{ HostIp: '127.0.0.1', HostPort: '8443' }],
    '81/tcp': null,
  };

  it.each([
    [
      'port web',
      '80/tcp -> 0.0.0.0:32768\n8080/tcp -> 0.0.0.0:18080\n8080/tcp -> 127.0.0.1:18081\nratls/tcp -> 127.0.0.1:8443\n',
    ],
    ['port web 80', '0.0.0.0:32768\n'],
    ['port web 8080/tcp', '0.0.0.0:18080\n127.0.0.1:18081\n'],
    ['container port web ratls', '127.0.0.1:8443\n'],
    ['port web 4433', '127.0.0.1:8443\n'],
  ])('prints the published ports of a confidential box for: %s', async (line, stdout) => {
    const json = { NetworkSettings: { Ports }, Confidential: { Tee: 'simulate' } };
    server.answers.set('GET /containers/web/json', { json });
    expect(await a3s(line)).toMatchObject({ status: 0, stdout });
  });

  it('names a port of a plain box by its number alone', async () => {
    server.answers.set('GET /containers/web/json', {
      json: { NetworkSettings: { Ports }, Confidential: null },
    });
    expect((await a3s('port web')).stdout).toContain('\n4433/tcp -> 127.0.0.1:8443\n');
    expect(await a3s('port web ratls')).toMatchObject({ status: 1, stdout: '' });
  });

  it.each([
    ['port web 81', "No public port '81/tcp' published for web"],
    ['port web 80/udp', "No public port '80/udp' published for web"],
    ['port web http', 'invalid port: http'],
    ['port web 70000', 'invalid port: 70000'],
  ])('refuses the command line: %s', async (line, message) => {
    server.answers.set('GET /containers/web/json', { json: { NetworkSettings: { Ports } } });
    const done = await a3s(line);
    expect(done).toMatchObject({ status: 1, stdout: '' });
    expect(done.stderr).toContain(message);
  });
});

describe('update', () => {
  it('update sends only the given settings', async () => {
    server.answers.set('POST /containers/one/update', { json: { Warnings: ['watch out'] } });
    const line =
      'update -m 512m --memory-swap -1 --memory-reservation 64m --cpus 1.5 -c 512 --cpu-period 100000 --cpu-quota 50000 --cpuset-cpus 0-1 --pids-limit -1 --restart on-failure:3 --blkio-weight 10 --kernel-memory 64m one';
    expect(await a3s(line)).toMatchObject({
      status: 0,
      stdout: 'one\n',
      stderr: 'WARNING: watch out\n',
    });
    expect(JSON.parse(server.called('POST /containers/one/update')?.body ?? '')).toEqual({
      Memory: 512 * 1024 * 1024,
      MemorySwap: -1,
      MemoryReservation: 64 * 1024 * 1024,
      NanoCpus: 1_500_000_000,
      CpuShares: 512,
      CpuPeriod: 100_000,
      CpuQuota: 50_000,
      CpusetCpus: '0-1',
      PidsLimit: -1,
      ...{ BlkioWeight: 10, KernelMemory: 64 * 1024 * 1024 },
      RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 3 },
    });
  });

  it.each([
    ['update one', 1, 'you must provide one or more flags when using this command'],
    ['update --cpuset-mems 0 one', 125, 'unsupported flag --cpuset-mems for update'],
    ['update --restart sometimes one', 125, "unknown policy 'sometimes'"],
    [
      'update --restart always:3 one',
      125,
      "maximum retry count can only be used with 'on-failure'",
    ],
    ['update -m lots one', 125, 'invalid argument "lots" for "-m, --memory" flag: invalid size'],
    ['update --ulimit nofile=1 one', 125, 'unknown flag: --ulimit'],
  ])('refuses the command line: %s', async (line, status, message) => {
    const done = await a3s(line);
    expect(done.status).toBe(status);
    expect(done.stderr).toContain(message);
    expect(server.log).toEqual([]);
  });
});

describe('shell', () => {
  it('shell prefers bash, and runs what comes on its input', async () => {
    await a3s('run -d box signals');
    const done = await a3s('shell -u nobody -e A=1 box');
    expect(done).toMatchObject({ status: 5, stderr: '' });
    const body = JSON.parse(server.called('POST /containers/box/exec')?.body ?? '');
    expect(body).toMatchObject({
      Cmd: ['sh', '-c', 'command -v bash >/dev/null 2>&1 && exec bash -l; exec sh -l'],
      AttachStdin: true,
      Tty: false,
      User: 'nobody',
      Env: ['A=1'],
    });
  });

  it('shell starts the named program, and exits with its status', async () => {
    await a3s('run -d box signals');
    expect(await a3s('container shell --shell cat box')).toMatchObject({ status: 0 });
    const body = JSON.parse(server.called('POST /containers/box/exec')?.body ?? '');
    expect(body.Cmd).toEqual(['cat']);
  });
});
