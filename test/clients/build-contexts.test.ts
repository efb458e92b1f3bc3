import { execFileSync } from 'node:child_process';
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
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { openDownloads } from '../../src/registry/downloads.ts';
import { install } from '../e2e/installation.ts';
import { makeRepository, serveGit } from '../e2e/support/git-site.ts';
import { hostAddress } from '../e2e/support/host-address.ts';
import { BuildHome, type Ran } from './build-home.ts';

/** It has no files of a context. */
const ALONE = 'FROM scratch\nLABEL made=alone\n';
const WITH_FILE = 'FROM scratch\nCOPY file /file\nLABEL made=file\n';
const FILES = { Dockerfile: WITH_FILE, file: 'of the context', 'other.Dockerfile': ALONE };

let build: BuildHome;
let cli: string;
/** Where our command line looks for the server. */
let socket: string | undefined;
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
  build = await BuildHome.start(({ home }) => {
    home.downloads = openDownloads({ certsDirectories: [], registriesFiles: [] });
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

it('refuses a context of a host that builds may not reach, with the reason', async () => {
  const other = site.replace(/\d+$/, '9');
  for (const context of [`${other}/context.tar.gz`, `${other}/app.git`]) {
    const ran = await build.docker(['build', context]);
    expect(ran.status).not.toBe(0);
    expect(ran.stderr).toMatch(/the network policy of builds does not allow it$/m);
  }
});
