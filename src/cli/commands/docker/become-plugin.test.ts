import { once } from 'node:events';
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { A3sError } from '../../../errors.ts';
import { BuiltCli } from '../../testing/built-cli.ts';
import { FakeServer } from '../../testing/fake-server.ts';
import { BUILDX, COMPOSE, findPlugin } from './find-plugin.ts';

const cli = new BuiltCli();
const server = new FakeServer();
const at = (...parts: readonly string[]): string => join(cli.directory, ...parts);

/** A docker-compose that says how it was called. */
const FAKE = `#!/bin/sh
for word; do echo "<$word>"; done
echo "at $DOCKER_HOST $DOCKER_CONTEXT$DOCKER_TLS_VERIFY pid $$ $COLOR$BUILDX_BUILDER"
cat
exit 7
`;

function program(directory: string, mode = 0o755): string {
  mkdirSync(directory, { recursive: true });
  for (const name of ['docker-buildx', 'docker-compose']) {
    writeFileSync(join(directory, name), FAKE);
    chmodSync(join(directory, name), mode);
  }
  return join(directory, 'docker-compose');
}

beforeAll(async () => {
  await server.listen(cli.config.socket);
  // With koffi, which calls execve.
  symlinkSync(join(import.meta.dirname, '../../../../node_modules'), at('node_modules'));
  program(at('bin'));
  Object.assign(cli.env, {
    ...{ PATH: `${at('bin')}:${cli.env['PATH']}`, COLOR: 'blue' },
    ...{ DOCKER_HOST: 'tcp://elsewhere', DOCKER_CONTEXT: 'other', DOCKER_TLS_VERIFY: '1' },
  });
});
afterAll(async () => {
  await server.close();
  cli.remove();
});

interface Called {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const call = (...args: string[]): Promise<Called> => callAs('compose', ...args);

async function callAs(command: string, ...args: string[]): Promise<Called> {
  const child = cli.spawn(command, ...args);
  child.stdin.end('typed\n');
  const [stdout, stderr] = [text(child.stdout), text(child.stderr)];
  const [code] = (await once(child, 'close')) as [number];
  return { code, stdout: await stdout, stderr: await stderr };
}

describe('compose', () => {
  it('runs docker-compose with all arguments, the server’s socket, streams and status', async () => {
    const child = cli.spawn(
      'compose',
      '--file',
      'a b',
      'run',
      '--rm',
      '-e',
      'X=1',
      'web',
      '--help',
    );
    child.stdin.end('typed\n');
    const stdout = text(child.stdout);
    expect(await once(child, 'close')).toEqual([7, null]);
    const words = ['--file', 'a b', 'run', '--rm', '-e', 'X=1', 'web', '--help'];
    expect(await stdout).toBe(
      `${words.map((word) => `<${word}>\n`).join('')}at unix://${cli.config.socket}  pid ${child.pid} blue\ntyped\n`,
    );
  });

  it('passes a command line without arguments on to docker-compose, and one for help of a command', async () => {
    expect((await call()).stdout).toMatch(/^at unix/);
    expect((await call('up', '--help')).stdout).toMatch(/^<up>\n<--help>\n/);
    expect((await call('--', 'up')).stdout).toMatch(/^<-->\n<up>\n/);
  });

  it.each([[['--help']], [['measure', '--help']]])(
    'shows the help of compose itself where %j asks for nothing but help',
    async (args) => {
      const { code, stdout } = await call(...args);
      expect({ code, stdout }).toEqual({
        code: 0,
        stdout: expect.stringContaining('docker compose'),
      });
    },
  );
});

describe('build', () => {
  it('runs docker buildx build with all arguments, and the builder of this installation', async () => {
    const called = await callAs('build', '-t', 'a b', '--progress=plain', '.');
    expect(called).toMatchObject({ code: 7 });
    const words = ['build', '-t', 'a b', '--progress=plain', '.'];
    expect(called.stdout.replace(/pid \d+/, 'pid')).toBe(
      `${words.map((word) => `<${word}>\n`).join('')}at unix://${cli.config.socket}  pid bluedefault\ntyped\n`,
    );
    expect((await callAs('buildx', 'du', '--verbose')).stdout).toMatch(/^<du>\n<--verbose>\n/);
    expect((await callAs('builder', 'du', '--verbose')).stdout).toMatch(/^<du>\n<--verbose>\n/);
    expect((await callAs('builder', 'prune', '-af')).stdout).toMatch(/^<prune>\n<-af>\n/);
  });

  it('builds with the builder that --builder names, on its socket', async () => {
    const json = { name: 'team', socket: '/run/team.sock' };
    server.answers.set('POST /a3s/v1/builders/team/socket', { json });
    for (const [command, ...words] of [
      ['build', '--builder', 'team', '.'],
      ['buildx', '--builder=team', 'du'],
      ['builder', 'prune', '--builder', 'team', '-af'],
    ] as const) {
      const { stdout } = await callAs(command, ...words);
      expect(stdout).toContain('at unix:///run/team.sock  pid');
      expect(stdout).toContain('bluedefault');
      expect(stdout).not.toContain('--builder');
    }
    const own = await callAs('build', '--builder', 'default', '.');
    expect(own.stdout).toContain(`at unix://${cli.config.socket} `);
  });

  it('names the package of docker-buildx where there is none', () => {
    expect(() => findPlugin(BUILDX, { PATH: at('empty') }, [])).toThrow(
      expect.objectContaining({
        code: 'tool-missing',
        remedy: expect.stringContaining('package docker-buildx'),
      }),
    );
  });
});

describe('docker-compose', () => {
  const missing = () =>
    findPlugin(COMPOSE, { PATH: `${at('empty')}:.`, HOME: at('nobody') }, [at('none')]);

  it('looks for docker-compose on the PATH, then among the plugins of the user, then of all users', () => {
    const [shared, own, onPath] = [
      program(at('shared')),
      program(at('home/.docker/cli-plugins')),
      at('bin'),
    ];
    const env = { PATH: at('empty'), HOME: at('home') };
    expect(findPlugin(COMPOSE, { ...env, PATH: `${at('empty')}:${onPath}` }, [at('shared')])).toBe(
      join(onPath, 'docker-compose'),
    );
    expect(findPlugin(COMPOSE, env, [at('shared')])).toBe(own);
    expect(findPlugin(COMPOSE, { ...env, HOME: at('nobody') }, [at('shared')])).toBe(shared);
    const configured = program(at('docker-config/cli-plugins'));
    expect(findPlugin(COMPOSE, { ...env, DOCKER_CONFIG: at('docker-config') }, [])).toBe(
      configured,
    );
  });

  it('takes no docker-compose that is a directory, not executable, or in the working directory', () => {
    program(at('unusable'), 0o644);
    mkdirSync(at('directory/docker-compose'), { recursive: true });
    const path = [at('unusable'), at('directory'), at('bin')].join(':');
    expect(findPlugin(COMPOSE, { PATH: path }, [])).toBe(at('bin/docker-compose'));
    expect(missing).toThrow(/docker compose: it is not installed/);
  });

  it('names the package of docker-compose where there is none', () => {
    let error: unknown;
    try {
      missing();
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(A3sError);
    expect(error).toMatchObject({
      code: 'tool-missing',
      remedy: expect.stringContaining('package docker-compose'),
    });
  });
});
