import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { A3sError } from '../../errors.ts';
import { FakeHelper } from '../testing/fake-credential-helper.ts';
import { CredentialHelper } from './credential-helper.ts';
import { NOBODY } from './credentials.ts';
import { eraseCredentials, findCredentials, storeCredentials } from './credentials-store.ts';
import { DOCKER_HUB, registryKey } from './registry-key.ts';

let directory: string;
let env: Record<string, string>;
let config: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'a3s-credentials-'));
  env = { DOCKER_CONFIG: directory, PATH: process.env['PATH'] ?? '' };
  config = join(directory, 'config.json');
});

afterEach(() => rmSync(directory, { recursive: true }));

const write = (document: unknown): void => writeFileSync(config, JSON.stringify(document));
const read = (): Record<string, unknown> => JSON.parse(readFileSync(config, 'utf8'));
const base64 = (text: string): string => Buffer.from(text).toString('base64');
const ann = { ...NOBODY, username: 'ann', password: 'pa:ss' };

describe('config.json', () => {
  it.each([
    ['registry.example:5000', { auth: base64('ann:pa:ss') }, ann],
    ['registry.example:5000', { username: 'ann', password: 'pa:ss' }, ann],
    ['https://registry.example:5000/v2/', { auth: base64('ann:pa:ss\0\0') }, ann],
    [
      'registry.example:5000',
      { auth: base64('ann:'), identitytoken: 'refresh' },
      { ...NOBODY, username: 'ann', identityToken: 'refresh' },
    ],
    ['registry.example:5000', { registrytoken: 'bearer' }, { ...NOBODY, registryToken: 'bearer' }],
    ['registry.example:5000', {}, undefined],
    ['registry.example', { auth: base64('ann:pa:ss') }, undefined],
    ['registry.example:5000', 'nonsense', undefined],
  ])('reads the entry of %s in config.json: %j', async (key, entry, found) => {
    write({ auths: { [key]: entry } });
    expect(await findCredentials(env, 'registry.example:5000/team/app')).toEqual(found);
  });

  it.each(['https://index.docker.io/v1/', 'index.docker.io', 'docker.io'])(
    'uses the entry %s for Docker Hub',
    async (key) => {
      write({ auths: { [key]: { auth: base64('ann:pa:ss') } } });
      expect(await findCredentials(env, 'docker.io/library/busybox')).toEqual(ann);
    },
  );

  it('accepts a missing or empty config.json', async () => {
    expect(await findCredentials(env, 'registry.example/x')).toBeUndefined();
    writeFileSync(config, '\n');
    expect(await findCredentials(env, 'registry.example/x')).toBeUndefined();
  });

  it.each([
    ['{', 'it is not a JSON object'],
    ['[]', 'it is not a JSON object'],
    [`{"x":"${'x'.repeat(1024 * 1024)}"}`, 'longer than 1048576 bytes'],
    ['{"auths":{"registry.example":{"auth":"c2VjcmV0"}}}', 'must be user:password in base64'],
    ['{"auths":{"registry.example":{"auth":"ann:secret"}}}', 'must be user:password in base64'],
  ])('refuses an unusable config.json without quoting it: %.40s', async (text, message) => {
    writeFileSync(config, text);
    const error = await findCredentials(env, 'registry.example/x').catch((thrown) => thrown);
    expect(error).toMatchObject({ code: 'invalid-argument' });
    expect(error.message).toContain(message);
    expect(error.message).not.toMatch(/secret|c2Vj/);
  });

  it('keeps other settings in config.json, and makes it private', async () => {
    write({ auths: { other: { auth: 'eDp5' } }, HttpHeaders: { a: 'b' }, psFormat: 'x' });
    chmodSync(config, 0o644);
    expect(await storeCredentials(env, 'registry.example', ann)).toBe(config);
    expect(read()).toEqual({
      auths: { other: { auth: 'eDp5' }, 'registry.example': { auth: base64('ann:pa:ss') } },
      HttpHeaders: { a: 'b' },
      psFormat: 'x',
    });
    expect(statSync(config).mode & 0o777).toBe(0o600);
    expect(readdirSync(directory)).toEqual(['config.json']);
    await eraseCredentials(env, 'registry.example');
    await eraseCredentials(env, 'registry.example');
    expect(read()).toEqual({
      auths: { other: { auth: 'eDp5' } },
      HttpHeaders: { a: 'b' },
      psFormat: 'x',
    });
  });

  it('stores an identity token instead of the password', async () => {
    await storeCredentials(env, 'r.example', { ...ann, identityToken: 'refresh' });
    expect(read()).toEqual({
      auths: { 'r.example': { auth: base64('ann:'), identitytoken: 'refresh' } },
    });
  });

  it('follows a link as config.json, also a dangling one', async () => {
    mkdirSync(join(directory, 'dotfiles'));
    symlinkSync('dotfiles/docker.json', config);
    await storeCredentials(env, 'one.example', ann);
    await storeCredentials(env, 'two.example', ann);
    expect(lstatSync(config).isSymbolicLink()).toBe(true);
    expect(Object.keys(read()['auths'] as object)).toEqual(['one.example', 'two.example']);
    expect(readdirSync(join(directory, 'dotfiles'))).toEqual(['docker.json']);
  });

  it('loses no credentials in concurrent writes', async () => {
    const names = Array.from({ length: 20 }, (_, index) => `r${index}.example`);
    await Promise.all(names.map((name) => storeCredentials(env, name, ann)));
    expect(Object.keys(read()['auths'] as object).sort()).toEqual([...names].sort());
  });

  it('creates the directory of config.json', async () => {
    env['DOCKER_CONFIG'] = '';
    env['HOME'] = directory;
    expect(await storeCredentials(env, 'r.example', ann)).toBe(
      join(directory, '.docker/config.json'),
    );
    expect(statSync(join(directory, '.docker')).mode & 0o777).toBe(0o700);
  });

  it('creates all missing parents of config.json', async () => {
    env['DOCKER_CONFIG'] = join(directory, 'a/b/c');
    await Promise.all(['r.example', 's.example'].map((key) => storeCredentials(env, key, ann)));
    expect(readdirSync(join(directory, 'a/b/c'))).toEqual(['config.json']);
  });

  it('refuses a directory that cannot be created', async () => {
    env['DOCKER_CONFIG'] = '/proc/nowhere/docker';
    await expect(storeCredentials(env, 'r.example', ann)).rejects.toMatchObject({
      code: 'invalid-argument',
      message: 'Cannot write /proc/nowhere/docker/config.json: ENOENT',
    });
  });

  it('reports a path of config.json below a file', async () => {
    writeFileSync(join(directory, 'file'), '');
    env['DOCKER_CONFIG'] = join(directory, 'file/docker');
    await expect(storeCredentials(env, 'r.example', ann)).rejects.toMatchObject({
      code: 'invalid-argument',
      message: `Cannot use ${directory}/file/docker/config.json: ENOTDIR`,
    });
  });
});

describe('auth.json of podman', () => {
  beforeEach(() => {
    env['XDG_RUNTIME_DIR'] = directory;
    mkdirSync(join(directory, 'containers'));
  });
  const writePodman = (document: unknown): void =>
    writeFileSync(join(directory, 'containers/auth.json'), JSON.stringify(document));

  it('reads podman’s auth.json after config.json, the most specific entry first', async () => {
    writePodman({
      auths: {
        'r.example/team/app': { auth: base64('app:1') },
        'r.example/team': { auth: base64('team:1') },
        'r.example': { auth: base64('all:1') },
        'docker.io': { auth: base64('hub:1') },
      },
    });
    const who = async (name: string) => (await findCredentials(env, name))?.username;
    expect(await who('r.example/team/app')).toBe('app');
    expect(await who('r.example/team/other')).toBe('team');
    expect(await who('r.example/teams')).toBe('all');
    expect(await who('docker.io/library/x')).toBe('hub');
    expect(await who('elsewhere.example/x')).toBeUndefined();
    write({ auths: { 'r.example': { auth: base64('docker:1') } } });
    expect(await who('r.example/team/app')).toBe('docker');
  });

  it('reads auth.json where REGISTRY_AUTH_FILE says', async () => {
    writePodman({ auths: { 'r.example': { auth: base64('runtime:1') } } });
    env['REGISTRY_AUTH_FILE'] = join(directory, 'other.json');
    expect(await findCredentials(env, 'r.example/x')).toBeUndefined();
    const auths = { 'r.example': { auth: base64('named:1') } };
    writeFileSync(join(directory, 'other.json'), JSON.stringify({ auths }));
    expect(await findCredentials(env, 'r.example/x')).toMatchObject({ username: 'named' });
  });

  it('uses the credential helpers that auth.json names', async () => {
    const helper = new FakeHelper(directory, 'kept');
    env['PATH'] = helper.path;
    writePodman({ credHelpers: { 'r.example': 'kept' } });
    expect(await findCredentials(env, 'r.example/x')).toBeUndefined();
    writeFileSync(join(directory, 'stored'), JSON.stringify({ Username: 'u', Secret: 's' }));
    expect(await findCredentials(env, 'r.example/x')).toMatchObject({ password: 's' });
    expect(helper.input('asked')).toBe('r.example');
  });
});

describe('a credential helper', () => {
  it('stores the secret in the credential helper, and only an empty entry in config.json', async () => {
    const helper = new FakeHelper(directory, 'kept');
    env['PATH'] = helper.path;
    write({ credsStore: 'kept', auths: { old: {} } });
    expect(await storeCredentials(env, 'r.example', ann)).toBeUndefined();
    expect(helper.stored).toEqual({ ServerURL: 'r.example', Username: 'ann', Secret: 'pa:ss' });
    expect(read()).toEqual({ credsStore: 'kept', auths: { old: {}, 'r.example': {} } });
    expect(await findCredentials(env, 'r.example/x')).toEqual(ann);
    await eraseCredentials(env, 'r.example');
    expect(helper.input('erased')).toBe('r.example');
    expect(await findCredentials(env, 'r.example/x')).toBeUndefined();
    expect(read()).toEqual({ credsStore: 'kept', auths: { old: {} } });
  });

  it('stores identity tokens in the credential helper', async () => {
    const helper = new FakeHelper(directory, 'kept');
    env['PATH'] = helper.path;
    write({ credsStore: 'kept' });
    await storeCredentials(env, DOCKER_HUB, { ...ann, identityToken: 'refresh' });
    expect(helper.stored).toEqual({
      ServerURL: DOCKER_HUB,
      Username: '<token>',
      Secret: 'refresh',
    });
    expect(await findCredentials(env, 'docker.io/library/x')).toEqual({
      ...NOBODY,
      identityToken: 'refresh',
    });
  });

  it('prefers the helper of one registry to that of all, and an empty name means the file', async () => {
    env['PATH'] = new FakeHelper(directory, 'kept').path;
    writeFileSync(join(directory, 'stored'), JSON.stringify({ Username: 'u', Secret: 's' }));
    write({
      credsStore: 'not-installed',
      credHelpers: { 'r.example': 'kept', 'file.example': '' },
      auths: { 'file.example': { auth: base64('ann:pa:ss') } },
    });
    expect(await findCredentials(env, 'r.example/x')).toMatchObject({ username: 'u' });
    expect(await findCredentials(env, 'file.example/x')).toEqual(ann);
    await expect(findCredentials(env, 'else.example/x')).rejects.toMatchObject({
      code: 'tool-missing',
      message: 'docker-credential-not-installed is not in PATH',
    });
  });

  it.each(['../evil', '/bin/sh', 'a/b', '', '-x', 'x'.repeat(65), 'a b'])(
    'refuses the credential helper name %j',
    (name) => {
      expect(() => new CredentialHelper(name, env)).toThrow(
        expect.objectContaining({ code: 'invalid-argument' }),
      );
    },
  );

  const asked = (script: string, deadlineMs?: number): Promise<unknown> => {
    const { path } = new FakeHelper(directory, 'odd', script);
    return new CredentialHelper('odd', { PATH: path }, deadlineMs).get('r.example');
  };

  it.each([
    ['echo "the key ring is locked"; exit 1', 'odd get failed: the key ring is locked'],
    ['exit 3', 'it does not say why'],
    ['echo secret', 'something else than a JSON document'],
    ['echo \'{"Username":"u"}\'', 'an object with Username and Secret'],
    ['yes secret | head -c 300000', 'at most 262144 bytes'],
    ['kill -9 $$', 'it does not say why'],
  ])('refuses a credential helper that answers with %s', async (line, message) => {
    const error = await asked(`#!/bin/sh\n${line}\n`).catch((thrown) => thrown);
    if (!(error instanceof A3sError)) throw new Error('it was taken');
    expect(error.message).toContain(message);
    expect(error.message).not.toContain('secret');
  });

  it('kills a credential helper that does not answer, and what holds its pipe', async () => {
    const script = `#!/bin/sh\necho $$ > ${directory}/pid\nexec sleep 1000\n`;
    await expect(asked(script, 300)).rejects.toThrow('it did not answer within 0.3 seconds');
    const pid = Number(readFileSync(join(directory, 'pid'), 'utf8'));
    await expect.poll(() => alive(pid)).toBe(false);
  });
});

function alive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

describe('any file', () => {
  it(
    'reads credentials from any config.json or refuses it with a code',
    async () => {
      const text = fc.oneof(
        fc.json(),
        fc.string(),
        fc.json().map((json) => `{"auths":{"r.example":${json}}}`),
        fc.string().map((auth) => JSON.stringify({ auths: { 'r.example': { auth } } })),
      );
      await fuzz(
        fc.asyncProperty(text, async (input) => {
          writeFileSync(config, input);
          try {
            const found = await findCredentials(env, 'r.example/x');
            if (found !== undefined) expect(typeof found.username).toBe('string');
          } catch (error) {
            expect(error).toMatchObject({ code: 'invalid-argument' });
          }
        }),
      );
    },
    FUZZ_TIMEOUT,
  );

  it('normalizes the names of registries', () => {
    expect(registryKey('https://r.example:5000/v1/')).toBe('r.example:5000');
    expect(registryKey('r.example/team')).toBe('r.example');
    expect(registryKey('docker.io')).toBe(DOCKER_HUB);
  });
});
