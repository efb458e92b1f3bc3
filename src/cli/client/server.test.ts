import { createHash, randomBytes } from 'node:crypto';
import { PassThrough } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestHome } from '../../server/testing/home.ts';
import { type FakeEnds, type Transcript, transcript } from '../testing/fake-context.ts';

/** The command line against the real control server, whose VMs are fakes. */
const home = new TestHome();
beforeAll(() => home.start());
afterAll(() => home.remove());

const a3s = (line: string, ends: FakeEnds = {}): Promise<Transcript> =>
  transcript(home.config.socket, line.split(' '), ends);

describe('against the control server', () => {
  it('run prints output, exits with the status, and leaves nothing with --rm', async () => {
    const done = await transcript(home.config.socket, [
      ...['run', '--rm', 'busybox', 'sh', '-c'],
      'echo out; echo err >&2; exit 3',
    ]);
    expect(done).toMatchObject({ status: 3, stdout: 'out\n', stderr: 'err\n' });
    expect((await a3s('ps -aq')).stdout).toBe('');
  });

  it('run and exec pass 5 MB through unchanged', async () => {
    const input = randomBytes(5_000_000);
    const piped = (): FakeEnds => ({ stdin: new PassThrough().end(input) as PassThrough });
    const run = await a3s('run --rm -i busybox cat', piped());
    expect(run.stderr).toBe('');
    expect(sha256(run.bytes)).toBe(sha256(input));
    await a3s('run -d --name held busybox sleep infinity');
    const exec = await a3s('exec -i held cat', piped());
    expect(exec.stderr).toBe('');
    expect(sha256(exec.bytes)).toBe(sha256(input));
    expect(await a3s('rm -f held')).toMatchObject({ status: 0, stdout: 'held\n' });
  });

  it('a box passes through ps, inspect, logs, kill, wait and rm', async () => {
    const started = await a3s(
      'run -d --name web -l a=b -p 127.0.0.1:18080:80 busybox sleep infinity',
    );
    expect(started).toMatchObject({ status: 0, stderr: '' });
    const id = started.stdout.trim();
    const format = '{{.ID}} {{.Names}} {{.State}} {{.Label "a"}} {{.Ports}}';
    const ps = await transcript(home.config.socket, ['ps', '--format', format]);
    expect(ps.stdout).toBe(`${id.slice(0, 12)} web running b 127.0.0.1:18080->80/tcp\n`);
    expect((await a3s('inspect -f {{.Id}} web')).stdout).toBe(`${id}\n`);
    expect(JSON.parse((await a3s('inspect web')).stdout)).toMatchObject([{ Id: id, Name: '/web' }]);
    expect((await a3s('logs web')).status).toBe(0);
    expect((await a3s('exec web sh -c exit')).status).toBe(0);
    expect((await a3s('rm web')).stderr).toContain('(box-running)');
    expect((await a3s('kill -s TERM web')).stdout).toBe('web\n');
    expect((await a3s('wait web')).stdout).toBe('143\n');
    expect((await a3s('start web')).stdout).toBe('web\n');
    expect((await a3s('stop -t 1 web')).stdout).toBe('web\n');
    expect((await a3s('rm web')).stdout).toBe('web\n');
  });

  it('create, start -a and attach work on the same box', async () => {
    const id = (await a3s('create busybox echo created')).stdout.trim();
    expect(await a3s(`start -a ${id}`)).toMatchObject({ status: 0, stdout: 'created\n' });
    const attached = await a3s(`attach ${id}`);
    expect(attached.stderr).toContain('(box-not-running)');
    expect((await a3s(`rm ${id}`)).status).toBe(0);
  });

  it.each([
    ['run --pull never nosuch', 125, 'no-such-image'],
    ['run -q nosuch', 125, 'registry-unreachable'],
    ['run sha256:0123456789ab', 125, 'no-such-image'],
    ['run --rm busybox nosuchprogram', 127, 'command-not-found'],
    ['run busybox nosuchprogram', 127, 'command-not-found'],
    ['run --stop-signal NOPE busybox', 125, 'invalid-argument'],
    ['run --name -x busybox', 125, 'invalid-argument'],
    ['exec nobody true', 1, 'no-such-box'],
    ['inspect nobody', 1, 'no-such-box'],
    ['ps -f nope=x', 1, 'invalid-argument'],
    ['rmi nosuch', 1, 'no-such-image'],
  ])('%s fails with an error and leaves no box', async (line, status, code) => {
    const done = await a3s(line);
    expect(done.stderr).toMatch(new RegExp(`^a3s-box: .+ \\(${code}\\)\n`));
    expect(done.status).toBe(status);
    expect((await a3s('ps -aq')).stdout).toBe('');
  });

  it('run -d of a box that cannot start keeps the box as Created, with the error', async () => {
    const done = await a3s('run -d --name kept busybox nosuchprogram');
    expect(done.status).toBe(127);
    const id = done.stdout.trim();
    expect((await a3s('ps -a --format {{.ID}}={{.Status}}')).stdout).toBe(
      `${id.slice(0, 12)}=Created\n`,
    );
    expect(JSON.parse((await a3s('inspect kept')).stdout)).toMatchObject([
      { State: { Status: 'created', ExitCode: 127, Error: expect.stringContaining('not found') } },
    ]);
    expect((await a3s('rm kept')).status).toBe(0);
    expect((await a3s('run -d --rm busybox nosuchprogram')).status).toBe(127);
    expect((await a3s('ps -aq')).stdout).toBe('');
  });

  it('images, info and version answer', async () => {
    expect((await a3s('images')).stdout).toMatch(
      /^REPOSITORY +TAG +IMAGE ID .*\nbusybox +latest +111111111111 /,
    );
    expect((await a3s('images -q busybox')).stdout).toBe('111111111111\n');
    const info = await a3s('info');
    expect(info.stdout).toContain(` Socket: ${home.config.socket}\n`);
    expect(info.stdout).toContain('Engines:');
    expect(JSON.parse((await a3s('info -f json')).stdout)).toMatchObject({
      Socket: home.config.socket,
    });
    expect((await a3s('version --format {{.Server.APIVersion}}')).stdout).toBe('1.45\n');
    expect((await a3s('version --format {{.Client.APIVersion}}')).stdout).toBe('1.43\n');
    expect((await a3s('version')).stdout).toMatch(/^Client:\n[\s\S]*Server:\n/);
  });

  it('run passes a signal to the box, and exits with its status', async () => {
    const done = await transcript(
      home.config.socket,
      ['run', '--rm', 'busybox', 'sh', '-c', 'echo up; sleep infinity'],
      {
        onOutput(soFar, signal) {
          if (soFar === 'up\n') signal('SIGTERM');
        },
      },
    );
    expect(done).toMatchObject({ status: 143, stdout: 'up\n' });
  });
});

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
