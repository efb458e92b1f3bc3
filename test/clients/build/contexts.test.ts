import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo, LookupFunction } from 'node:net';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readBootSet } from '../../../src/boot/bootset.ts';
import { readConfig } from '../../../src/config.ts';
import { openDownloads } from '../../../src/registry/downloads.ts';
import { openRegistry } from '../../../src/registry/open-registry.ts';
import {
  type StartedRegistry,
  startRegistry,
} from '../../../src/registry/testing/start-registry.ts';
import { openTrust } from '../../../src/server/home/open-trust.ts';
import { blocksOf, putProgram, scriptOf } from '../../docs/steps.ts';
import { install } from '../../e2e/installation.ts';
import { makeRepository, serveGit } from '../../e2e/support/git-site.ts';
import { hostAddress } from '../../e2e/support/host-address.ts';
import { BuildHome, type Ran } from './home.ts';

/** It has no files of a context. */
const ALONE = 'FROM scratch\nLABEL made=alone\n';
const WITH_FILE = 'FROM scratch\nCOPY file /file\nLABEL made=file\n';
const FILES = { Dockerfile: WITH_FILE, file: 'of the context', 'other.Dockerfile': ALONE };

let build: BuildHome;
let cli: string;
/** Where our command line looks for the server. */
let socket: string | undefined;
let registry: StartedRegistry;
let tar: string;
/** Where the files are served, and the repository `app.git` beside them. */
let site: string;
const server = createServer((request, response) => {
  const [path = ''] = (request.url ?? '').split('?');
  if (path.startsWith('/app.git/')) serveGit(build.directory, request, response);
  else if (path === '/context.tar.gz') response.end(readFileSync(tar));
  else if (path === '/Dockerfile') response.end(ALONE);
  else response.writeHead(404).end();
});

beforeAll(async () => {
  cli = (await install()).cli;
  registry = await startRegistry();
  const boot = await readBootSet(join(dirname(cli), 'boot'));
  build = await BuildHome.start(({ home, directory }) => {
    home.downloads = openDownloads({ certsDirectories: [], registriesFiles: [] });
    const settings = join(directory, 'registries.yaml');
    const host = `registry.example:${registry.host.split(':')[1]}`;
    writeFileSync(settings, `registries: { "${host}": { insecure: true } }\n`);
    const lookup: LookupFunction = (_name, _options, found) =>
      found(null, [{ address: '127.0.0.1', family: 4 }]);
    home.registry = openRegistry({ certsDirectories: [], registriesFiles: [settings], lookup });
    home.realTrust = openTrust(home.config.home);
    home.boot = boot;
  });
  const { directory, home } = build;
  const env = { A3S_HOME: home.config.home };
  socket = readConfig(env, process.getuid?.() ?? 0, dirname(cli)).socket;
  mkdirSync(dirname(socket), { recursive: true, mode: 0o700 });
  symlinkSync(home.config.socket, socket);
  tar = join(directory, 'context.tar.gz');
  const context = join(directory, 'context');
  mkdirSync(context);
  for (const [name, text] of Object.entries(FILES)) writeFileSync(join(context, name), text);
  execFileSync('tar', ['-czf', tar, '-C', context, '.']);
  makeRepository(directory, 'app', FILES);
  server.listen(0, '0.0.0.0');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const address = hostAddress();
  site = `http://${address}:${port}`;
  writeFileSync(
    join(home.config.home, 'build-network-policy.yaml'),
    `rules: ["allow:${address}:tcp:${port}"]\n`,
  );
});
afterAll(async () => {
  server.close();
  if (socket !== undefined) rmSync(dirname(socket), { recursive: true });
  await build?.remove();
  await registry?.stop();
});

/** Each runs `docker build` with these arguments and this input. */
const CLIENTS: Readonly<
  Record<string, (args: readonly string[], input?: string | Buffer) => Promise<Ran>>
> = {
  'docker build': (args, input = '') => build.docker(['build', ...args], { input }),
  'docker build without BuildKit': (args, input = '') =>
    build.docker(['build', ...args], { input, env: { DOCKER_BUILDKIT: '0' } }),
  'docker buildx build': (args, input = '') =>
    build.docker(['buildx', 'build', ...args], { input }),
  'a3s-box build': (args, input = '') => {
    const env = { A3S_HOME: build.home.config.home };
    return build.run(process.execPath, [cli, 'build', ...args], env, { input });
  },
};

let count = 0;

/** The label of the result. */
async function made(
  client: string,
  args: readonly string[],
  input?: string | Buffer,
): Promise<string | undefined> {
  count += 1;
  const name = `context:${count}`;
  const ran = await CLIENTS[client]?.(['-t', name, ...args], input);
  expect(ran, `${ran?.stdout}${ran?.stderr}`).toMatchObject({ status: 0 });
  return (await build.home.images.resolve(name)).config.labels?.['made'];
}

describe.each(Object.keys(CLIENTS))('%s', (client) => {
  it('builds from a Dockerfile that it reads from its input, without a context', async () => {
    expect(await made(client, ['-'], ALONE)).toBe('alone');
  });

  it('builds from a Dockerfile that it reads from its input, with the files of a directory', async () => {
    const context = mkdtempSync(join(build.directory, 'apart-'));
    cpSync(join(build.directory, 'context/file'), join(context, 'file'));
    expect(await made(client, ['-f', '-', context], WITH_FILE)).toBe('file');
  });

  it('builds from an archive that it reads from its input', async () => {
    expect(await made(client, ['-'], readFileSync(tar))).toBe('file');
    expect(await made(client, ['-f', 'other.Dockerfile', '-'], readFileSync(tar))).toBe('alone');
  });

  it('builds from an archive and a Dockerfile of another host', async () => {
    expect(await made(client, [`${site}/context.tar.gz`])).toBe('file');
    expect(await made(client, [`${site}/Dockerfile`])).toBe('alone');
  });

  it('builds from a branch of a Git repository', async () => {
    expect(await made(client, [`${site}/app.git#main`])).toBe('file');
    expect(await made(client, ['-f', 'other.Dockerfile', `${site}/app.git#main`])).toBe('alone');
  });

  it('says in one line that a context of another host is not there', async () => {
    const ran = await CLIENTS[client]?.(['-t', 'none:1', `${site}/none.tar.gz`]);
    expect(ran?.status).not.toBe(0);
    expect(ran?.stderr).toMatch(/404/);
  });
});

it('builds with each flag of docker build', async () => {
  const uuid = 'busybox cat /proc/sys/kernel/random/uuid';
  const context = build.context(`FROM scratch AS made
COPY busybox /bin/sh
COPY busybox /bin/busybox
COPY --from=more said /context
ARG SAID
RUN echo "$SAID" > /argument; ulimit -n > /files; busybox df -m /dev/shm > /shared
RUN busybox cat /etc/hosts > /hosts; ${uuid} > /once
FROM made AS again
RUN ${uuid} > /again
FROM made AS other
RUN exit 1
`);
  const more = mkdtempSync(join(build.directory, 'more-'));
  writeFileSync(join(more, 'said'), 'of another context\n');
  const built = async (...args: readonly string[]): Promise<Ran> => {
    const ofSteps = ['--add-host', 'db.test:10.1.2.3', '--shm-size', '32m'];
    const limits = ['--ulimit', 'nofile=1000:1000', '--target', 'again'];
    const given = ['--build-arg', 'SAID=hi', '--build-context', `more=${more}`];
    const words = [...ofSteps, ...limits, ...given, ...args, context];
    const ran = await CLIENTS['a3s-box build']?.(words);
    expect(ran, ran?.stderr).toMatchObject({ status: 0 });
    return ran as Ran;
  };
  const labels = ['--label', 'of=a flag', '--label', 'and=another'];
  const loaded = await built('--load', '-t', 'flags:1', ...labels, '--progress', 'quiet');
  const { id, config, tags } = await build.home.images.resolve('flags:1');
  expect(loaded.stdout + loaded.stderr).toBe(`${id}\n`);
  expect(tags).toEqual(['flags:1']);
  expect(config.labels).toEqual({ of: 'a flag', and: 'another' });
  // Results that go to the client.
  const archive = async (type: string, ...args: readonly string[]) => {
    const file = join(build.directory, `${type}.tar`);
    await built('--output', `type=${type},dest=${file}`, '-t', 'flags:2', ...args);
    return (path: string): string =>
      execFileSync('tar', ['-xOf', file, path], { encoding: 'utf8' });
  };
  expect(JSON.parse((await archive('docker'))('manifest.json'))).toMatchObject([
    { RepoTags: ['flags:2'] },
  ]);
  const oci = await archive('oci', '--annotation', 'test.a3s=noted', '--provenance=false');
  const [listed] = JSON.parse(oci('index.json')).manifests;
  const manifest = oci(`blobs/${listed.digest.replace(':', '/')}`);
  expect(JSON.parse(manifest).annotations).toEqual({ 'test.a3s': 'noted' });
  await expect(build.home.images.resolve('flags:2')).rejects.toThrow(/No such image/);
  const files = async (...args: readonly string[]) => {
    const out = mkdtempSync(join(build.directory, 'out-'));
    await built('-o', out, ...args);
    return (path: string): string => readFileSync(join(out, path), 'utf8');
  };
  const first = await files();
  expect(first('context')).toBe('of another context\n');
  expect(first('argument')).toBe('hi\n');
  expect(first('files')).toBe('1000\n');
  expect(first('shared')).toMatch(/^tmpfs +32 /m);
  expect(first('hosts')).toMatch(/^10\.1\.2\.3\s+db\.test$/m);
  // Which of the two steps ran again.
  const ranAgain = async (...args: readonly string[]) => {
    const next = await files(...args);
    return ['once', 'again'].filter((step) => next(step) !== first(step));
  };
  expect(await ranAgain()).toEqual([]);
  expect(await ranAgain('--no-cache-filter', 'again')).toEqual(['again']);
  expect(await ranAgain('--no-cache')).toEqual(['once', 'again']);
});

it('docs/boxes/build.md builds, pushes, signs and measures for a confidential box', async () => {
  const text = readFileSync(join(import.meta.dirname, '../../../docs/boxes/build.md'), 'utf8');
  const [, section = ''] = text.split('\n## For a confidential box\n');
  const [steps = ''] = blocksOf(section, '');
  const host = `registry.example:${registry.host.split(':')[1]}`;
  const directory = build.context(`${ALONE}CMD ["/program"]\n`);
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
  writeFileSync(join(directory, 'release.key'), pem, { mode: 0o600 });
  putProgram(directory, cli);
  const { home } = build.home.config;
  const script = scriptOf([steps.replaceAll('registry.example', host)]);
  const env = { A3S_HOME: home, PATH: `${directory}:${process.env['PATH']}` };
  const ran = await build.run('bash', ['-c', script], env, { cwd: directory });
  expect(ran, ran.stderr).toMatchObject({ status: 0 });
  const image = `${host}/app:1`;
  const { manifestDigest } = await build.home.images.resolve(image);
  expect(ran.stderr).toContain(`Pushing signature to: ${host}/app\n`);
  // The policy of a relying party accepts what this image is launched with, and nothing else.
  const asked = ['measure', '--tee', 'snp', '--spec-out', 'spec.json', '--format', 'json', image];
  const again = await build.run('a3s-box', asked, env, { cwd: directory });
  const { measurement, hostData, policy } = JSON.parse(again.stdout);
  expect(readFileSync(join(directory, 'policy.yaml'), 'utf8')).toBe(policy);
  expect(policy).toContain(measurement);
  expect(policy).toContain(hostData);
  expect(readFileSync(join(directory, 'spec.json'), 'utf8')).toContain(manifestDigest);
  // What the registry has is signed.
  const key = join(directory, 'release.pub');
  writeFileSync(key, publicKey.export({ type: 'spki', format: 'pem' }));
  const rule = `{ pattern: "${host}/**", require: [{ keys: [${key}], transparencyLog: none }] }`;
  const demanding = join(directory, 'demanding.yaml');
  writeFileSync(demanding, `images: [${rule}]\n`);
  const verify = ['image', 'verify', '--confidential', '--image-policy', demanding, image];
  expect(await build.run('a3s-box', verify, env)).toMatchObject({ status: 0 });
});

it('refuses a context of a host that builds may not reach, with the reason', async () => {
  const other = site.replace(/\d+$/, '9');
  for (const context of [`${other}/context.tar.gz`, `${other}/app.git`]) {
    const ran = await build.docker(['build', context]);
    expect(ran.status).not.toBe(0);
    expect(ran.stderr).toMatch(/the network policy of builds does not allow it$/m);
  }
});
