import { createHash, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { RUN_FLAGS } from './flags/box-flags.ts';
import { type FakeEnds, type Transcript, transcript } from './testing/fake-context.ts';
import { serveFake } from './testing/serve-fake.ts';

const { server, socket, directory } = serveFake();

const a3s = (line: string, ends: FakeEnds = {}): Promise<Transcript> =>
  transcript(socket, line.split(' '), ends);

describe('run', () => {
  it('run prints stdout and stderr, and exits with the status of the program', async () => {
    const done = await a3s('run box both');
    expect(done).toMatchObject({ status: 0, stdout: 'to stdout\n', stderr: 'to stderr\n' });
    expect(await a3s('run --rm box exit 42')).toMatchObject({ status: 42, stdout: '', stderr: '' });
  });

  it('prints why a box lost its microVM, and exits with the status of the box', async () => {
    const stderr = 'a3s-box: the microVM ended unexpectedly: it was killed\n';
    expect(await a3s('run --rm box lost')).toMatchObject({ status: 137, stdout: '', stderr });
  });

  it('attaches and waits before it starts, so that nothing is missed', async () => {
    await a3s('run --rm box both');
    const calls = server.log.map((call) => call.replace(/a+\d/, 'ID'));
    expect([calls[0], ...calls.slice(1, 3).sort(), ...calls.slice(3)]).toEqual([
      'POST /containers/create',
      'POST /containers/ID/attach',
      'POST /containers/ID/wait',
      'POST /containers/ID/start',
    ]);
    const wait = server.calls.find(({ call }) => call.endsWith('/wait'));
    expect(wait?.query.get('condition')).toBe('removed');
  });

  it('run -i passes 5 MB of input through unchanged', async () => {
    const input = randomBytes(5_000_000);
    const stdin = new PassThrough();
    stdin.end(input);
    const done = await a3s('run -i box cat', { stdin });
    expect(done.status).toBe(0);
    expect(sha256(done.bytes)).toBe(sha256(input));
  });

  it('run does not read input without -i', async () => {
    const stdin = new PassThrough();
    stdin.write('never read');
    await a3s('run box both', { stdin });
    expect(stdin.readableLength).toBe('never read'.length);
  });

  it('run sends the settings of its flags to the server', async () => {
    const env = { PASSED: 'from outside' };
    writeFileSync(join(directory, 'env'), '# comment\nA=1\n  B="quoted"\nPASSED\nABSENT\n');
    const line =
      `run -d -i -e X=1 -e PASSED -e ABSENT --env-file ${directory}/env -w /srv -u 1:2 --name n -h host` +
      ' --entrypoint /bin/sh --cpus 1.5 -m 64m -l a=b --stop-signal INT --stop-timeout 3' +
      ' -p 127.0.0.1:8080:80 -p 81 -v ./data:/data:ro --net=none img -c cmd';
    const done = await a3s(line, { env });
    expect(done.stdout).toMatch(/^a+1\n$/);
    const create = server.called('POST /containers/create');
    expect(create?.query.get('name')).toBe('n');
    expect(JSON.parse(create?.body ?? '')).toEqual({
      Image: 'img',
      Cmd: ['-c', 'cmd'],
      Entrypoint: ['/bin/sh'],
      Env: ['A=1', 'B="quoted"', 'PASSED=from outside', 'X=1', 'PASSED=from outside'],
      Labels: { a: 'b' },
      Hostname: 'host',
      User: '1:2',
      WorkingDir: '/srv',
      StopSignal: 'INT',
      StopTimeout: 3,
      Tty: false,
      OpenStdin: true,
      StdinOnce: false,
      AttachStdin: false,
      AttachStdout: false,
      AttachStderr: false,
      ExposedPorts: { '80/tcp': {}, '81/tcp': {} },
      HostConfig: {
        AutoRemove: false,
        Binds: ['/srv/data:/data:ro'],
        NetworkMode: 'none',
        PortBindings: {
          '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '8080' }],
          '81/tcp': [{ HostIp: '', HostPort: '' }],
        },
        NanoCpus: 1_500_000_000,
        Memory: 64 * 1024 * 1024,
      },
    });
  });

  it('run leaves everything after the image to the program', async () => {
    await a3s('run -d img prog -d --rm -- -x');
    const body = JSON.parse(server.called('POST /containers/create')?.body ?? '');
    expect(body.Cmd).toEqual(['prog', '-d', '--rm', '--', '-x']);
    expect(body.HostConfig.AutoRemove).toBe(false);
  });

  it('run prints the server’s refusal with its code and remedy', async () => {
    expect(await a3s('run --pull never missing')).toEqual({
      status: 125,
      stdout: '',
      bytes: Buffer.alloc(0),
      stderr: 'a3s-box: No such image: missing (no-such-image)\nLoad it with a3s-box load.\n',
    });
  });

  it.each([
    ['absent', 127, 'command-not-found'],
    ['unbootable', 125, 'port-in-use'],
  ])('run removes the box when %s does not start', async (program, status, code) => {
    const done = await a3s(`run box ${program}`);
    expect(done.status).toBe(status);
    expect(done.stderr).toContain(`(${code})`);
    expect(server.boxes.size).toBe(0);
  });

  it.each([
    ['absent', 127, 'command-not-found'],
    ['unbootable', 125, 'port-in-use'],
  ])('run -d keeps the box when %s does not start', async (program, status, code) => {
    const done = await a3s(`run -d box ${program}`);
    expect(done.status).toBe(status);
    expect(done.stderr).toContain(`(${code})`);
    expect(done.stdout.trim()).toBe([...server.boxes.keys()][0]);
    expect(server.boxes.size).toBe(1);
  });

  it('run passes signals on, and exits with the status of the box', async () => {
    const done = await a3s('run box signals', {
      onOutput(soFar, signal) {
        if (soFar === 'waiting\n') signal('SIGTERM');
      },
    });
    expect(done).toMatchObject({ status: 143, stdout: 'waiting\ngot SIGTERM\n' });
  });

  it('run detaches after three Ctrl-C, and leaves the box running', async () => {
    const done = await a3s('run box signals ignore', {
      onOutput: (_, signal) => signal('SIGINT'),
    });
    expect(done.status).toBe(130);
    expect(done.stderr).toContain('runs on');
    expect(server.boxes.size).toBe(1);
  });

  it('run reports a lost server, and that the box runs on', async () => {
    const done = await a3s('run box signals', { onOutput: () => server.drop() });
    expect(done.status).toBe(125);
    expect(done.stderr).toMatch(/^a3s-box: .+ \(server-unreachable\)\nThe box runs on; /);
    expect(server.boxes.size).toBe(1);
  });

  it('run removes the box when a signal comes before it runs', async () => {
    const done = await a3s('run box cat', {
      onConnect: (signal) => setImmediate(signal, 'SIGINT'),
    });
    expect(done.status).toBe(130);
    expect(server.boxes.size).toBe(0);
    expect(server.log.some((call) => call.endsWith('/start'))).toBe(false);
  });

  it('run -t refuses an input that is no terminal before it asks the server', async () => {
    const done = await a3s('run -it box');
    expect(done).toMatchObject({ status: 1, stdout: '' });
    expect(done.stderr).toContain('the input device is not a TTY');
    expect(server.log).toEqual([]);
  });
});

describe('refused command lines', () => {
  const refused = RUN_FLAGS.filter((flag) => flag.refused !== undefined);

  it.each(refused.map((flag) => flag.name))(
    'refuses the unsupported flag run --%s by name',
    async (name) => {
      const done = await a3s(`run --${name}=1 box`);
      expect(done.status).toBe(125);
      expect(done.stderr).toMatch(
        new RegExp(`^a3s-box: unsupported flag --${name} for run: .+ \\(unsupported-option\\)\n`),
      );
      expect(server.log).toEqual([]);
    },
  );

  it.each([
    ['run --foo box', 125, 'unknown flag: --foo'],
    ['run --memroy 1g box', 125, "Did you mean --memory? See 'a3s-box run --help'."],
    ['container ls --formt json', 125, 'Did you mean --format? '],
    ['--verison', 125, 'Did you mean --version? '],
    [
      'run --cgroup-parnet x box',
      125,
      "unknown flag: --cgroup-parnet (invalid-argument)\nSee 'a3s-box run",
    ],
    ['run -zi box', 125, "unknown shorthand flag: 'z' in -zi"],
    ['run --name', 125, 'flag needs an argument: --name'],
    ['run -im', 125, "flag needs an argument: 'm' in -m"],
    ['run -m abc box', 125, 'invalid argument "abc" for "-m, --memory" flag: invalid size'],
    ['run --cpus x box', 125, 'invalid argument "x" for "--cpus" flag'],
    ['run --rm=maybe box', 125, 'invalid argument "maybe" for "--rm" flag'],
    ['run -p 70000:1 box', 125, 'invalid host port: 70000'],
    ['run -p 53:53/sctp box', 125, 'unsupported protocol sctp'],
    ['run -v name:/x:fast box', 125, 'invalid mode: fast'],
    ['run -v relative box', 125, 'the path in the box must be absolute and not the root: relative'],
    [
      'run --mount type=bind box',
      125,
      'argument "type=bind" for "--mount" flag: target is required',
    ],
    ['run -e =x box', 125, 'invalid environment variable: =x'],
    ['run --env-file /nonexistent box', 125, 'open /nonexistent: no such file or directory'],
    ['run --network host box', 125, 'unsupported network host'],
    ['run --detach-keys ctrl-ü box', 125, 'unknown character'],
    ['run', 1, '"a3s-box run" requires at least 1 argument'],
    ['exec box', 1, '"a3s-box exec" requires at least 2 arguments'],
    ['ps box', 1, '"a3s-box ps" accepts no arguments'],
    ['ps --format {{.Foo', 1, 'unclosed action'],
    ['stop -t soon box', 125, 'invalid argument "soon" for "-t, --time" flag'],
    ['logs --tail x box', 125, 'invalid argument "x" for "-n, --tail" flag'],
    ['inspect --type secret x', 1, '"secret" is not a valid value for --type'],
    ['rum', 1, "Did you mean 'run'?"],
    ['contianer ls', 1, "Did you mean 'container'?"],
    ['container sotp x', 1, "Did you mean 'container stop'?"],
    ['commit', 1, '"a3s-box commit" requires at least 1 argument'],
    ['commit --pause=maybe box', 125, 'invalid argument "maybe" for "-p, --pause" flag'],
    ['-H unix:///x ps', 125, 'unsupported flag -H'],
    ['--zap', 125, 'unknown flag: --zap'],
  ])('refuses the command line: %s', async (line, status, message) => {
    const done = await a3s(line);
    expect(done.stderr).toContain(message);
    expect(done.stderr).toMatch(/^a3s-box: .+ \([a-z-]+\)\n/);
    expect(done.status).toBe(status);
    expect(server.log).toEqual([]);
  });
});

describe('exec', () => {
  it('exec prints the output and exits with the status of the command', async () => {
    await a3s('run -d box signals');
    const done = await a3s('exec -e A=1 -w /srv -u nobody box exit 3 -e');
    expect(done.status).toBe(3);
    expect(JSON.parse(server.called('POST /containers/box/exec')?.body ?? '')).toMatchObject({
      Cmd: ['exit', '3', '-e'],
      Env: ['A=1'],
      WorkingDir: '/srv',
      User: 'nobody',
      AttachStdout: true,
    });
  });

  it('exec reports a missing box', async () => {
    const done = await a3s('exec nobody true');
    expect(done).toMatchObject({
      status: 1,
      stderr: 'a3s-box: No such box: nobody (no-such-box)\n',
    });
  });
});

describe('commands about several boxes', () => {
  it('stops the boxes that exist, and reports the others', async () => {
    await a3s('run -d one signals');
    const done = await a3s('stop one two');
    expect(done).toMatchObject({ status: 1, stdout: 'one\n' });
    expect(done.stderr).toBe('a3s-box: No such box: two (no-such-box)\n');
    expect(await a3s('wait one')).toMatchObject({ status: 0, stdout: '143\n' });
  });

  it('rm -f succeeds for a missing box, and prints a message', async () => {
    const done = await a3s('rm -f two');
    expect(done).toMatchObject({ status: 0, stdout: '' });
    expect(done.stderr).toContain('No such box: two');
    expect(await a3s('rm two')).toMatchObject({ status: 1 });
  });
});

describe('help', () => {
  it.each(['run', 'ps', 'image ls', 'container run', 'exec'])(
    'prints help for %s --help',
    async (command) => {
      const done = await a3s(`${command} --help`);
      expect(done.status).toBe(0);
      expect(done.stdout).toContain(`Usage:  a3s-box ${command} [OPTIONS]`);
      expect(done.stdout).toContain('--help');
      expect(done.stdout).not.toContain('--gpus');
    },
  );

  it('lists all commands in the main help', async () => {
    const done = await a3s('--help');
    expect(done.stdout).toContain('  run           Create and run a new box from an image\n');
    expect(await transcript(socket, [])).toEqual(done);
  });
});

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
