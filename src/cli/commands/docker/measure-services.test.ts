import { execFile } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { promisify } from 'node:util';
import { parseApplicationPolicy } from '@a3s-box/policies/application-policy';
import { parseAttestationPolicy } from '@a3s-box/policies/attestation-policy';
import { readPolicyDocument } from '@a3s-box/policies/document';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { TestHome } from '../../../server/testing/home.ts';
import { allowConfidential } from '../../../server/testing/signed-images.ts';
import { type Transcript, transcript } from '../../testing/fake-context.ts';
import { ovmfImage } from '../../testing/ovmf-image.ts';
import { engineEnvironment } from './engine-environment.ts';
import { COMPOSE, findPlugin } from './find-plugin.ts';

const home = new TestHome();
const cwd = mkdtempSync(join(tmpdir(), 'a3s-compose-'));

const FILE = `
name: shop
services:
  api:
    image: busybox
    command: [sleep, "\${SECONDS_TO_SLEEP:-9}"]
    environment: {ONE: "1", TWO: "two words"}
    user: "1000"
    working_dir: /srv
    cap_drop: [ALL]
    mem_limit: 128m
    network_mode: bridge
    ports: ["8443:4433"]
    depends_on: [web]
    deploy: {replicas: 2}
    annotations:
      dev.a3s.tee: simulate
      dev.a3s.host-may: logs,exec
      dev.a3s.deployment: shop
  db:
    image: busybox
    command: [sleep, "9"]
    network_mode: none
    profiles: [full]
    annotations: {dev.a3s.tee: snp}
  web:
    image: busybox
    command: [sleep, "9"]
    networks: [front]
networks: {front: {}}
`;

beforeAll(async () => {
  home.trust.rules = [allowConfidential('**')];
  const { confidential } = home.boot;
  if (confidential === undefined) throw new Error('the set has nothing for confidential boxes');
  const boot = mkdtempSync(join(cwd, 'boot-'));
  const paths = {
    firmwarePath: join(boot, 'OVMF.fd'),
    kernelPath: join(boot, 'bzImage'),
    initrdPath: join(boot, 'initrd'),
  };
  for (const path of Object.values(paths)) writeFileSync(path, ovmfImage());
  home.boot = { ...home.boot, confidential: { ...confidential, ...paths } };
  await home.start();
});
afterAll(async () => {
  await home.remove();
  rmSync(cwd, { recursive: true });
});
beforeEach(() => compose(FILE));

function compose(text: string): void {
  writeFileSync(join(cwd, 'compose.yaml'), text);
}

function measure(...args: readonly string[]): Promise<Transcript> {
  return measureWith({}, ...args);
}

function measureWith(
  more: { readonly stdin?: PassThrough; readonly env?: Readonly<Record<string, string>> },
  ...args: readonly string[]
): Promise<Transcript> {
  return transcript(home.config.socket, ['compose', ...args], {
    cwd,
    home: cwd,
    env: { PATH: process.env['PATH'] ?? '' },
    ...more,
  });
}

async function boxes(): Promise<readonly { readonly Id: string }[]> {
  return (await home.call('GET', '/containers/json?all=1')).body as { Id: string }[];
}

describe('compose measure', () => {
  it('writes a policy for each confidential service, and one for the application', async () => {
    const done = await measure('measure', '--policy-out', 'policies');
    expect(done).toMatchObject({ status: 0 });
    expect(done.stderr).toMatch(/^SIMULATED: [^\n]*\n$/);
    expect(done.stdout).toMatch(
      /^api {2}SIMULATED\n {2}launch digest {2}[0-9a-f]{96}\n {2}HOST_DATA {6}[0-9a-f]{64}\n$/,
    );
    const directory = join(cwd, 'policies');
    expect(readdirSync(directory).sort()).toEqual(['api.yaml', 'application-policy.yaml']);
    const read = (name: string): unknown => readPolicyDocument(readFileSync(join(directory, name)));
    const { application, services } = parseApplicationPolicy(read('application-policy.yaml'));
    expect([application, ...services]).toEqual(['shop', ['api', 'api.yaml']]);
    expect(done.stdout).toContain(String(parseAttestationPolicy(read('api.yaml')).hostData));
    expect(await boxes()).toEqual([]);
    expect(readdirSync(tmpdir()).filter((name) => name.startsWith('a3s-recording-'))).toEqual([]);
  });

  it('measures what docker compose creates', async () => {
    const done = await measure('--profile', 'full', 'measure', '--format=json');
    const measured = JSON.parse(done.stdout) as { service: string; hostData: string }[];
    expect(measured).toMatchObject([
      { service: 'api', tee: 'simulated', simulated: true },
      { service: 'db', tee: 'snp', simulated: false },
    ]);
    const env = engineEnvironment(process.env, home.config.socket);
    const args = ['up', '--no-start', '--no-deps', 'api'];
    await promisify(execFile)(findPlugin(COMPOSE, env), args, { cwd, env });
    const made = await boxes();
    expect(made).toHaveLength(2);
    for (const { Id } of made) {
      const { body } = await home.call('GET', `/containers/${Id}/json`);
      expect(body).toMatchObject({ Confidential: { HostData: measured[0]?.hostData } });
    }
    // What exists already is measured all the same.
    expect(await measure('measure', '--format=json', 'api')).toMatchObject({ status: 0 });
    for (const { Id } of made) await home.call('DELETE', `/containers/${Id}`);
  });

  it('measures a service in networks of the application as one whose host chooses them', async () => {
    const hostData = async (networks: string): Promise<unknown> => {
      compose(FILE.replace('network_mode: bridge', networks));
      const done = await measure('measure', '--format=json', 'api');
      expect(done).toMatchObject({ status: 0 });
      const [api] = JSON.parse(done.stdout) as { hostData: string }[];
      return api?.hostData;
    };
    const own = await hostData('network_mode: bridge');
    const front = await hostData('networks: [front]');
    expect(front).not.toBe(own);
    expect(await hostData('networks: [default]')).toBe(front);
    expect(await hostData('networks: [default, front]')).not.toBe(front);
  });

  it('refuses a service that is not confidential, and an application without any', async () => {
    expect(await measure('measure', 'web')).toMatchObject({
      ...{ status: 125, stdout: '' },
      stderr: expect.stringContaining('"web" is no confidential service'),
    });
    compose('services: {web: {image: busybox}}');
    const none = await measure('measure');
    expect(none).toMatchObject({ status: 125, stdout: '' });
    expect(none.stderr).toContain('no service of this application is confidential');
    expect(none.stderr).toContain('dev.a3s.tee');
  });

  it('runs no program that a Compose file names as the provider of a service', async () => {
    const annotations = { 'dev.a3s.tee': 'simulate' };
    const api = { provider: { type: './program' }, annotations };
    const directory = mkdtempSync(join(cwd, 'newer-'));
    const config = JSON.stringify({ name: 'shop', services: { api } });
    // Version 2.36 is the first that has providers.
    const script = `#!/bin/sh\necho "$*" >> ${directory}/called\necho '${config}'\n`;
    writeFileSync(join(directory, 'docker-compose'), script, { mode: 0o755 });
    const env = { PATH: `${directory}:${process.env['PATH']}` };
    expect(await measureWith({ env }, 'measure')).toMatchObject({
      ...{ status: 125, stdout: '' },
      stderr: expect.stringContaining('"api" has a provider'),
    });
    const called = readFileSync(join(directory, 'called'), 'utf8');
    expect(called).toBe('--progress quiet config --format json\n');
  });

  it('says what is wrong in words of docker compose, or of the server', async () => {
    compose('services: {web: {imag: busybox}}');
    const bad = await measure('measure');
    expect(bad.status).not.toBe(0);
    expect(bad.stderr).toContain('imag');
    const service = '{image: busybox, volumes: ["/etc:/x"], annotations: {dev.a3s.tee: simulate}}';
    compose(`services: {api: ${service}}`);
    const bind = await measure('measure');
    expect(bind.status).not.toBe(0);
    expect(bind.stderr).toContain('the bind mount /x is not supported for a confidential box');
    compose(FILE.replace('dev.a3s.deployment: shop', 'dev.a3s.deploymnt: shop'));
    const key = await measure('measure', '--policy-out', 'none');
    expect(key.stderr).toContain('there is no annotation dev.a3s.deploymnt');
    expect(readdirSync(cwd)).not.toContain('none');
    expect(await boxes()).toEqual([]);
  });

  it('writes through no link, and into nothing but a directory that is named', async () => {
    mkdirSync(join(cwd, 'linked'));
    const victim = join(cwd, 'victim');
    writeFileSync(victim, 'precious');
    symlinkSync(victim, join(cwd, 'linked', 'application-policy.yaml'));
    const linked = await measure('measure', '--policy-out', 'linked');
    expect(linked).toMatchObject({ status: 125, stdout: '' });
    expect(linked.stderr).toContain('application-policy.yaml" is not a regular file');
    expect(readFileSync(victim, 'utf8')).toBe('precious');
    expect(readdirSync(join(cwd, 'linked'))).toEqual(['application-policy.yaml']);
    const before = readdirSync(cwd);
    for (const [path, why] of [
      ['', '"" is not a directory'],
      ['victim', '"victim" is not a directory'],
      ['victim/policies', 'cannot write to'],
    ] as const) {
      const done = await measure('measure', '--policy-out', path);
      expect(done).toMatchObject({ status: 125, stdout: '' });
      expect(done.stderr).toContain(why);
    }
    expect(readdirSync(cwd)).toEqual(before);
  });

  it('replaces its policies, and no other file of their names', async () => {
    for (const round of [1, 2]) {
      expect(await measure('measure', '--policy-out', 'twice'), `${round}`).toMatchObject({
        status: 0,
      });
    }
    const box = '{image: busybox, network_mode: none, annotations: {dev.a3s.tee: simulate}}';
    const file = `services: {compose: ${box}}`;
    compose(file);
    const done = await measure('measure', '--policy-out', '.');
    expect(done).toMatchObject({ status: 125, stdout: '' });
    expect(done.stderr).toContain('compose.yaml" exists, and is no policy');
    expect(readFileSync(join(cwd, 'compose.yaml'), 'utf8')).toBe(file);
  });

  it.each([[['-f', '-']], [['--file=-']], [['-f-']]])(
    'reads the Compose file from standard input with %j',
    async (flags) => {
      compose('services: {}');
      const stdin = new PassThrough().end(FILE);
      const done = await measureWith({ stdin }, ...flags, 'measure', '--format=json', 'api');
      expect(JSON.parse(done.stdout)).toMatchObject([{ service: 'api' }]);
    },
  );

  it('refuses the name of an application that no policy may have', async () => {
    const name = 'x'.repeat(256);
    const done = await measure('--project-name', name, 'measure', '--policy-out', 'long');
    expect(done).toMatchObject({ status: 125, stdout: '' });
    expect(done.stderr).toContain('is no name of an application');
    expect(readdirSync(cwd)).not.toContain('long');
  });

  it('takes a service whose name looks like a flag for a service', async () => {
    const box = '{image: busybox, network_mode: none, annotations: {dev.a3s.tee: simulate}}';
    compose(`services: {--dry-run: ${box}, --scale: ${box}}`);
    const done = await measure('measure', '--format', 'json');
    expect(JSON.parse(done.stdout)).toMatchObject([
      { service: '--dry-run' },
      { service: '--scale' },
    ]);
  });

  it('refuses a flag that it does not have', async () => {
    const done = await measure('measure', '--polcy-out', 'x');
    expect(done.status).not.toBe(0);
    expect(done.stderr).toContain('unknown flag: --polcy-out');
  });
});
