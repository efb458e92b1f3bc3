import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Transcript, transcript } from '../../../cli/testing/fake-context.ts';
import { type BuiltImage, buildImage, ociArchive } from '../../../images/testing/build-image.ts';
import { type TemporaryStore, temporaryStore } from '../../../images/testing/temporary-store.ts';
import { openRegistry } from '../../../registry/open-registry.ts';
import {
  type StartedRegistry,
  startRegistry,
  TEST_USER,
} from '../../../registry/testing/start-registry.ts';
import { docker } from '../../testing/docker.ts';
import { TestHome } from '../../testing/home.ts';
import { deny } from '../../testing/signed-images.ts';

const run = promisify(execFile);
const directory = mkdtempSync(join(tmpdir(), 'a3s-login-'));
const config = join(directory, 'config.json');

let basic: StartedRegistry;
let tokens: StartedRegistry;
let temporary: TemporaryStore;
let home: TestHome;
let image: BuiltImage;

beforeAll(async () => {
  [basic, tokens] = await Promise.all([
    startRegistry({ htpasswd: true }),
    startRegistry({ token: true }),
  ]);
  temporary = await temporaryStore();
  home = new TestHome(temporary.store);
  home.registry = openRegistry({
    certsDirectories: [tokens.certsDirectory()],
    registriesFiles: [],
    limits: { attempts: 2, backoffMs: 1 },
  });
  await home.start();
  image = buildImage({
    name: 'team/app:1',
    layers: [
      [{ path: 'base', data: randomBytes(2_000_000) }],
      [{ path: 'file', data: 'a file of the second layer' }],
    ],
  });
  async function* archive() {
    yield ociArchive([image]);
  }
  await temporary.store.load(archive());
});
afterAll(async () => {
  await home?.remove();
  await home?.registry.close();
  temporary?.remove();
  await Promise.all([basic?.stop(), tokens?.stop()]);
  rmSync(directory, { recursive: true });
});

function a3s(
  line: string,
  input = '',
  more: Readonly<Record<string, string>> = {},
): Promise<Transcript> {
  const stdin = new PassThrough();
  stdin.end(input);
  const env = { DOCKER_CONFIG: directory, PATH: process.env['PATH'] ?? '', ...more };
  return transcript(home.config.socket, line.split(' '), { env, stdin, cwd: directory });
}

const auths = (): Record<string, Record<string, string>> =>
  JSON.parse(readFileSync(config, 'utf8')).auths;

describe.each([
  ['a password', () => basic],
  ['tokens', () => tokens],
])('a registry with %s', (_, registry) => {
  it('refuses push and pull without a login', async () => {
    const { host } = registry();
    expect(await a3s(`tag team/app:1 ${host}/team/app:1`)).toMatchObject({ status: 0, stderr: '' });
    const pushed = await a3s(`push ${host}/team/app:1`);
    expect(pushed.stderr).toMatch(/\(registry-(unauthorized|denied)\)\n/);
    expect(pushed.status).toBe(1);
    const pulled = await a3s(`pull ${host}/team/none`);
    expect(pulled.stderr).toMatch(/\(registry-(unauthorized|denied)\)\n/);
  });

  it('refuses a wrong password, and stores none', async () => {
    const { host } = registry();
    const line = `login -u ${TEST_USER.username} --password-stdin ${host}`;
    const refused = await a3s(line, 'wr0ng');
    expect(refused.status).toBe(1);
    expect(refused.stderr).toMatch(/^a3s-box: .+ \(registry-unauthorized\)\n/);
    expect(refused.stderr).not.toContain('wr0ng');
    expect(existsSync(config) ? auths()[host] : undefined).toBeUndefined();
  });

  it('allows push and pull after a login, until a logout', async () => {
    const { host } = registry();
    const line = `login -u ${TEST_USER.username} --password-stdin ${host}`;
    expect(await a3s(line, `${TEST_USER.password}\n`)).toMatchObject({
      status: 0,
      stdout: 'Login Succeeded\n',
    });
    const pushed = await a3s(`push ${host}/team/app:1`);
    expect(pushed).toMatchObject({ status: 0, stderr: '' });
    expect(pushed.stdout).toContain(`1: digest: ${image.manifest.digest} size: `);
    await a3s(`rmi ${host}/team/app:1 team/app:1`);
    const pulled = await a3s(`pull ${host}/team/app:1`);
    expect(pulled).toMatchObject({ status: 0, stderr: '' });
    expect(pulled.stdout).toMatch(/^1: Pulling from team\/app\n/);
    expect(pulled.stdout).toMatch(/: (Pull complete|Already exists)\n/);
    expect(pulled.stdout).toMatch(
      new RegExp(
        `Digest: ${image.manifest.digest}\nTrust: .+\nStatus: Downloaded newer image for ${host}/team/app:1\n${host}/team/app:1\n$`,
      ),
    );
    expect((await a3s(`pull ${host}/team/app:1`)).stdout).toContain('Status: Image is up to date');
    await a3s(`tag ${host}/team/app:1 team/app:1`);
    expect((await a3s(`login ${host}`)).stdout).toBe(
      'Authenticating with existing credentials...\nLogin Succeeded\n',
    );
    await a3s(`logout ${host}`);
    expect(auths()[host]).toBeUndefined();
    expect((await a3s(`pull ${host}/team/app:1`)).stderr).toMatch(
      /\(registry-(unauthorized|denied)\)\n/,
    );
  });

  it("accepts a login by Docker's own command line", async () => {
    const { host } = registry();
    const args = ['login', '-u', TEST_USER.username, '--password-stdin', host];
    const client = (...more: string[]) =>
      docker(home.config.socket, ['--config', directory, ...more], TEST_USER.password);
    expect(await client(...args)).toMatchObject({ code: 0, stdout: 'Login Succeeded\n' });
    expect(await client('pull', '-q', `${host}/team/app:1`)).toMatchObject({
      code: 0,
      stdout: `${host}/team/app:1\n`,
    });
    expect((await a3s(`pull -q ${host}/team/app:1`)).status).toBe(0);
    await client('logout', host);
  });
});

it('shares logins with skopeo in both directions', async () => {
  const { host } = basic;
  const skopeo = (...args: string[]) => run('skopeo', args, { env: { PATH: process.env['PATH'] } });
  const file = join(directory, 'auth.json');
  const { username, password } = TEST_USER;
  const user = ['-u', username, '-p', password];
  await skopeo('login', '--tls-verify=false', '--authfile', file, ...user, host);
  expect((await a3s(`pull -q ${host}/team/app:1`)).status).toBe(1);
  const found = await a3s(`pull -q ${host}/team/app:1`, '', { REGISTRY_AUTH_FILE: file });
  expect(found).toMatchObject({ status: 0, stdout: `${host}/team/app:1\n` });
  await a3s(`login -u ${username} --password-stdin ${host}`, password);
  const at = `docker://${host}/team/app:1`;
  const inspect = ['inspect', '--no-tags', '--format', '{{.Digest}}', '--tls-verify=false'];
  const { stdout } = await skopeo(...inspect, '--authfile', config, at);
  expect(stdout.trim()).toBe(image.manifest.digest);
  await a3s(`logout ${host}`);
});

it('pulls a missing image for a run, and neither pulls nor starts what the policy refuses', async () => {
  const { host } = basic;
  await a3s(`login -u ${TEST_USER.username} --password-stdin ${host}`, TEST_USER.password);
  await a3s(`rmi ${host}/team/app:1`);
  const policy = join(directory, 'policy.yaml');
  writeFileSync(policy, 'images: []\n');
  const refused = await a3s(`run -d --image-policy policy.yaml ${host}/team/app:1 sleep 1`);
  expect(refused.stderr).toMatch(/\(image-untrusted\)\n/);
  expect(refused.status).toBe(125);
  expect((await a3s(`images -q ${host}/team/app`)).stdout).toBe('');
  const created = await a3s(`create ${host}/team/app:1 sleep 1`);
  expect(created.stderr).toContain(`Unable to find image '${host}/team/app:1' locally\n`);
  expect(created).toMatchObject({ status: 0, stdout: expect.stringMatching(/^[0-9a-f]{64}\n$/) });
  home.trust.rules = [deny('**')];
  const again = await a3s(`run --pull always ${host}/team/app:1 sleep 1`);
  expect(again.stderr).toMatch(/\(image-untrusted\)\n/);
  expect(again.status).toBe(125);
});

it.each(['', '!', 'r_example', '..', 'x'.repeat(300)])(
  'refuses POST /auth for the invalid registry %j',
  async (host) => {
    const body = { username: 'a', password: 'secret', serveraddress: `https://${host}#/` };
    const answer = await home.call('POST', '/auth', body);
    expect(answer).toMatchObject({ status: 400, body: { code: 'invalid-argument' } });
    expect(JSON.stringify(answer.body)).not.toContain('secret');
  },
);

it('shows the manifest and its platform in the tree of images', async () => {
  home.trust.rules = [];
  const { stdout } = await a3s('images --tree');
  const digest = image.manifest.digest.slice(7, 19);
  expect(stdout).toMatch(new RegExp(`\n└─ linux/\\w+ +${digest} +[\\d.]+MB +[\\d.]+MB`));
});
