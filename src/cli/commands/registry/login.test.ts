import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { docker } from '../../../server/testing/docker.ts';
import { type Transcript, transcript } from '../../testing/fake-context.ts';
import { FakeHelper } from '../../testing/fake-credential-helper.ts';
import { serveFake } from '../../testing/serve-fake.ts';

const { server, socket, directory } = serveFake();
const config = join(directory, 'docker');
const file = join(config, 'config.json');

beforeEach(() => {
  mkdirSync(config);
  answer({ Status: 'Login Succeeded', IdentityToken: '' });
});
afterEach(() => {
  rmSync(config, { recursive: true });
});

function answer(json: unknown, status = 200): void {
  server.answers.set('POST /auth', { status, json });
}

function a3s(line: string, input?: string, keys?: readonly string[]): Promise<Transcript> {
  const stdin = new PassThrough();
  if (input !== undefined) stdin.end(input);
  if (keys !== undefined) {
    Object.assign(stdin, { isTTY: true, setRawMode: () => undefined });
    for (const key of keys) stdin.write(key);
  } else if (input === undefined) {
    stdin.end();
  }
  const env = { DOCKER_CONFIG: config, PATH: process.env['PATH'] ?? '' };
  return transcript(socket, line.split(' '), { env, stdin });
}

const stored = (): Record<string, unknown> => JSON.parse(readFileSync(file, 'utf8')).auths;
const sent = (): unknown => JSON.parse(server.calls.at(-1)?.body ?? 'null');
const base64 = (text: string): string => Buffer.from(text).toString('base64');

describe('login', () => {
  it('reads the password from standard input, and warns where it is stored', async () => {
    const done = await a3s('login -u ann --password-stdin r.example:5000', 'pa:ss \n');
    expect(done).toMatchObject({ status: 0, stdout: 'Login Succeeded\n' });
    expect(done.stderr).toMatch(`Your password will be stored unencrypted in ${file}.\n`);
    expect(sent()).toEqual({
      username: 'ann',
      password: 'pa:ss ',
      serveraddress: 'r.example:5000',
    });
    expect(stored()).toEqual({ 'r.example:5000': { auth: base64('ann:pa:ss ') } });
  });

  it('warns about a password on the command line', async () => {
    const done = await a3s('login -u ann -p secret');
    expect(done.stderr).toMatch(/^WARNING! Using --password via the CLI is insecure/);
    expect(stored()).toEqual({ 'https://index.docker.io/v1/': { auth: base64('ann:secret') } });
  });

  it('stores the identity token of a registry instead of the password', async () => {
    answer({ Status: 'Login Succeeded', IdentityToken: 'refresh' });
    await a3s('login -u ann --password-stdin https://r.example/v2/', 'secret');
    expect(stored()).toEqual({
      'r.example': { auth: base64('ann:'), identitytoken: 'refresh' },
    });
    // The next login sends the token.
    expect((await a3s('login r.example')).stdout).toBe(
      'Authenticating with existing credentials...\nLogin Succeeded\n',
    );
    expect(sent()).toEqual({
      username: 'ann',
      identitytoken: 'refresh',
      serveraddress: 'r.example',
    });
  });

  it('stores the secret in a credential helper without a warning', async () => {
    const helper = new FakeHelper(directory, 'kept');
    writeFileSync(file, '{"credsStore":"kept"}');
    const stdin = new PassThrough();
    stdin.end('secret');
    const env = { DOCKER_CONFIG: config, PATH: helper.path };
    const args = ['login', '-u', 'ann', '--password-stdin', 'r.example'];
    const done = await transcript(socket, args, { env, stdin });
    expect(done).toMatchObject({ status: 0, stdout: 'Login Succeeded\n', stderr: '' });
    expect(helper.stored).toMatchObject({ Secret: 'secret' });
    expect(readFileSync(file, 'utf8')).not.toContain('secret');
  });

  it('asks for credentials at a terminal when the stored ones are refused', async () => {
    await a3s('login -u old -p gone r.example');
    answer({ message: 'r.example refuses this password', code: 'registry-unauthorized' }, 401);
    const refused = await a3s('login r.example', undefined, ['ann\r\n', 'secrex\x7fts\b\r']);
    expect(refused).toMatchObject({
      status: 1,
      stdout: 'Authenticating with existing credentials...\nUsername: Password: \n',
    });
    expect(refused.stderr).toBe(
      'Login did not succeed, error: r.example refuses this password\n' +
        'a3s-box: r.example refuses this password (registry-unauthorized)\n',
    );
    expect(sent()).toMatchObject({ username: 'ann', password: 'secret' });
    expect(stored()).toEqual({ 'r.example': { auth: base64('old:gone') } });
  });

  it('aborts a login on Ctrl-C at the password', async () => {
    const done = await a3s('login -u ann r.example', undefined, ['sec\x03']);
    expect(done).toMatchObject({ status: 130, stdout: 'Password: \n' });
    expect(server.log).toEqual([]);
  });

  it.each([
    ['login -u ann r.example', 'Cannot perform an interactive login from a non TTY device', 1],
    ['login --password-stdin r.example', 'Must provide --username with --password-stdin', 1],
    ['login -u a -p b --password-stdin r.example', 'are mutually exclusive', 1],
    ['login -u ann --password-stdin r.example', 'Password required', 1],
    ['login -u ann -p x r_example/y!', 'Cannot use "r_example/y!" as a registry', 1],
    ['login a b', 'requires at most 1 argument', 1],
    ['logout ../../x', 'as a registry: it must be HOST or HOST:PORT', 1],
  ])('refuses the command line: %s', async (line, message, status) => {
    const done = await a3s(line);
    expect(done.stderr).toContain(message);
    expect(done.status).toBe(status);
    expect(server.log).toEqual([]);
  });

  it('shares credentials with docker in both directions', async () => {
    await a3s('login -u ann --password-stdin r.example:5000', 'secret');
    const pulled = await docker(socket, ['--config', config, 'pull', '-q', 'r.example:5000/x:1']);
    expect(pulled.code).toBe(0);
    const header = String(server.calls.at(-1)?.headers['x-registry-auth']);
    expect(JSON.parse(Buffer.from(header, 'base64url').toString())).toEqual({
      username: 'ann',
      password: 'secret',
      serveraddress: 'r.example:5000',
    });
    const args = ['--config', config, 'login', '-u', 'bob', '--password-stdin', 's.example'];
    expect((await docker(socket, args, 'other\n')).code).toBe(0);
    await a3s('pull -q s.example/x');
    const ours = String(server.calls.at(-1)?.headers['x-registry-auth']);
    expect(JSON.parse(Buffer.from(ours, 'base64url').toString())).toEqual({
      username: 'bob',
      password: 'other',
      serveraddress: 's.example',
    });
    expect((await docker(socket, ['--config', config, 'logout', 'r.example:5000'])).code).toBe(0);
    expect(Object.keys(stored())).toEqual(['s.example']);
  });
});

describe('logout', () => {
  it('logs out with Docker’s message, whether or not there was a login', async () => {
    await a3s('login -u ann -p secret r.example');
    expect(await a3s('logout https://r.example/')).toMatchObject({
      status: 0,
      stdout: 'Removing login credentials for r.example\n',
    });
    expect(stored()).toEqual({});
    expect(await a3s('logout r.example')).toMatchObject({
      status: 0,
      stdout: 'Removing login credentials for r.example\n',
    });
    const theirs = await docker(socket, ['--config', config, 'logout']);
    expect((await a3s('logout')).stdout).toBe(theirs.stdout);
  });
});
