import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttp } from 'node:http';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Duplex, pipeline } from 'node:stream';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Builder } from '../../src/build/builder.ts';
import type { ApiHost } from '../../src/server/routes.ts';
import { foundIn } from '../clients/build/found-in.ts';
import { authorityBytes, buildSecrets } from '../clients/build/secrets.ts';
import { buildImage, busyboxImage, dockerArchive } from '../images/build-image.ts';
import { itInSoak } from './it-where.ts';
import { processesWith, until } from './processes.ts';
import { closeEngines } from './support/engines.ts';
import { makeRepository, serveGit } from './support/git-site.ts';
import { hostAddress } from './support/host-address.ts';
import { TestServer } from './support/server.ts';
import { scaled } from './time-scale.ts';

const run = promisify(execFile);
/** A daemon takes half a minute until it answers, under emulation on a machine that is idle. */
const SLOW_MS = scaled(900_000);
const BASE = 'base.example/base:1';
const IDLE_SECONDS = 5;

const settings: Record<string, string> = { A3S_BUILDER_IDLE: String(IDLE_SECONDS) };
const server = new TestServer(settings);
const directory = mkdtempSync(join(tmpdir(), 'a3s-builder-'));
const socket = join(directory, 'docker.sock');
const secrets = buildSecrets(directory);
let rt: ApiHost;
let held: { readonly builder: Builder; release(): void };
let relay: Server | undefined;

beforeAll(async () => {
  rt = await server.start();
  held = await rt.builders.use('default');
  relay = await relayTo(() => held.builder);
}, SLOW_MS);

afterAll(async () => {
  // Where it could not be started, there is none.
  if (relay !== undefined) {
    relay.close();
    held.release();
  }
  for (const { definition } of rt.store.list()) {
    await rt.running.get(definition.id)?.vm.kill();
  }
  await server.stop();
  await closeEngines();
  expect(processesWith(server.home)).toEqual([]);
  server.remove();
  rmSync(directory, { recursive: true });
}, SLOW_MS);

/** A unix socket whose connections lead to the builder's daemon. */
async function relayTo(builder: () => Builder): Promise<Server> {
  const listening = createServer({ allowHalfOpen: true }, (client) => {
    client.on('error', () => client.destroy());
    builder()
      .dial()
      .then(
        (daemon) => {
          pipeline(client, daemon, () => undefined);
          pipeline(daemon, client, () => undefined);
        },
        () => client.destroy(),
      );
  });
  await new Promise<void>((resolve) => listening.listen(socket, resolve));
  return listening;
}

/** Docker's command line at the daemon of the builder, which only this server can reach. */
function docker(...args: readonly string[]): Promise<string> {
  return dockerAt(socket, args);
}

async function dockerAt(path: string, args: readonly string[]): Promise<string> {
  const env = { ...process.env, DOCKER_HOST: `unix://${path}`, DOCKER_CONFIG: directory };
  const { stdout, stderr } = await run('docker', args, { env, timeout: SLOW_MS });
  return (stdout + stderr).trim();
}

function boxOf(name: string) {
  const box = rt.store.byName(`a3s-builder-${name}`);
  if (box === undefined) throw new Error(`there is no builder ${name}`);
  return box;
}

it(
  'gives a builder a role and no network card, and reaches its daemon over the control stream',
  async () => {
    const { definition } = boxOf('default');
    expect(definition.labels).toMatchObject({ 'dev.a3s.role': 'builder' });
    expect(definition).toMatchObject({ network: 'none', security: { privileged: true } });
    expect(await docker('version', '-f', '{{.Server.Os}}/{{.Server.Arch}}')).toBe('linux/amd64');
    const store = await docker('info', '-f', '{{.DriverStatus}}');
    expect(store).toContain('io.containerd.snapshotter');
    // It collects what is beyond that, so that its disk does not fill.
    expect(await docker('buildx', 'inspect')).toMatch(/GC Policy rule#[\s\S]*Keep Bytes:\s+20GiB/);
  },
  SLOW_MS,
);

const CONTEXT = join(directory, 'context');
const BUILD = ['build', '--progress=plain'];

it(
  'builds images of this server with BuildKit: COPY, and RUN in the default network and in none',
  async () => {
    const archive = join(directory, 'base.tar');
    writeFileSync(archive, dockerArchive([buildImage(busyboxImage(BASE))]));
    await dockerAt(server.socket, ['load', '-i', archive]);
    mkdirSync(CONTEXT);
    writeFileSync(join(CONTEXT, 'greeting'), 'hello\n');
    writeFileSync(
      join(CONTEXT, 'Dockerfile'),
      `FROM ${BASE} AS made
COPY greeting /greeting
RUN tr a-z A-Z < /greeting > /loud && ip -o addr show > /cards
RUN --network=none ip -o addr show > /alone
LABEL of=builder
FROM scratch AS files
COPY --from=made /loud /cards /alone /
`,
    );
    const out = join(directory, 'out');
    await dockerAt(server.socket, [...BUILD, '--output', `type=local,dest=${out}`, CONTEXT]);
    const file = (name: string): string => readFileSync(join(out, name), 'utf8');
    expect(file('loud')).toBe('HELLO\n');
    expect(file('cards')).toMatch(/eth0 .*inet 172\.17\./);
    expect(file('alone')).not.toContain('eth0');
    const made = [...BUILD, '--target', 'made', '-t', 'made:1', CONTEXT];
    expect(await dockerAt(server.socket, made)).toContain('CACHED');
    const inspect = ['image', 'inspect', '-f', '{{.Config.Labels.of}} {{len .RootFS.Layers}}'];
    expect(await dockerAt(server.socket, [...inspect, 'made:1'])).toBe('builder 4');
    expect(await docker('images', '--format', '{{.Repository}}')).toBe('');
    // A step's frames for 127.0.0.1 are not routed to the proxy of base images.
    await docker('load', '-i', archive);
    const setting = '/proc/sys/net/ipv4/conf/docker0/route_localnet';
    expect(await docker('run', '--rm', '--network=host', BASE, 'cat', setting)).toBe('0');
    // The bounds of steps are those of every control group that a definition can name.
    const beside = ['--cgroupns=host', '--cgroup-parent=/beside', BASE, 'cat', '/proc/self/cgroup'];
    expect(await docker('run', '--rm', ...beside)).toMatch(/^0::\/steps\/beside\//);
    await docker('rmi', BASE);
  },
  SLOW_MS,
);

it(
  'runs a step with secrets and an SSH agent, and keeps nothing of them',
  async () => {
    const { secret, sshKey, control } = secrets;
    const context = join(directory, 'secrets');
    mkdirSync(context);
    const mounts = '--mount=type=secret,id=s --mount=type=secret,id=v,target=/v --mount=type=ssh';
    const step = `read s < /run/secrets/s; echo "$CONTROL \${#s} $(wc -c < /v)" | tee /out`;
    writeFileSync(
      join(context, 'Dockerfile'),
      `FROM ${BASE}\nARG CONTROL\nRUN ${mounts} test -S "$SSH_AUTH_SOCK" && ${step}\n`,
    );
    const given = ['--secret', `id=s,src=${secret}`, '--secret', `id=v,src=${secret}`];
    const ssh = ['--ssh', `default=${sshKey}`, '--build-arg', `CONTROL=${control}`];
    const words = [...BUILD, ...given, ...ssh, '--tag', `secrets:${control}`, context];
    expect(await dockerAt(server.socket, words)).toMatch(new RegExp(` ${control} 64 65$`, 'm'));
    expect(await keepsNoSecret()).not.toEqual([]);
  },
  SLOW_MS,
);

/** Where the key of a builder's authority is to be. */
const RECORDS = ['builders/default.json', 'builders/saved/default/builder.json'];

/**
 * Looks into all that the server and its builder have: images, logs, the database, the disk of the
 * cache, and a saved memory.
 *
 * @returns the files that have what the build left
 */
async function keepsNoSecret(privateKey = held.builder.authority.privateKey) {
  const wanted = new Map([...secrets.bytes, ...authorityBytes(privateKey)]);
  const { control = [], ...found } = await foundIn(join(server.home, 'home'), wanted);
  const left = Object.entries(found).flatMap(([what, paths]) =>
    paths
      .filter((path) => !(what.startsWith('authority') && RECORDS.includes(path)))
      .map((path) => `${what}: ${path}`),
  );
  expect(left).toEqual([]);
  return control;
}

const CACHE_DISK = 'volumes/a3s-builder-default/_disk';

// Each takes minutes to fill a guest under emulation.
itInSoak.each([
  ['uses all memory', 'x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done'],
  // A shell ends where it cannot fork, and this goes on.
  ['forks without end', `awk 'BEGIN { while (1) system("sleep 100000 &") }'`],
])(
  'goes on after a step that %s, which ends',
  async (what, command) => {
    const spending = join(directory, what);
    mkdirSync(spending);
    writeFileSync(join(spending, 'Dockerfile'), `FROM ${BASE}\nRUN ${command}\n`);
    const { id } = boxOf('default').definition;
    await expect(dockerAt(server.socket, [...BUILD, spending])).rejects.toThrow(/exit code: 137/);
    const next = [...BUILD, '--target', 'made', CONTEXT];
    expect(await dockerAt(server.socket, next)).toContain('CACHED');
    expect(boxOf('default').definition.id).toBe(id);
  },
  SLOW_MS,
);

itInSoak(
  'connects steps and git to what the network policy of builds permits, and not to the loopback of the host',
  async () => {
    const asked: string[] = [];
    const repositories = join(directory, 'repositories');
    const site = createHttp((request, response) => {
      const { url = '' } = request;
      if (url.includes('.git/')) return serveGit(repositories, request, response);
      asked.push(url);
      response.end('fetched\n');
    });
    site.listen(0, '0.0.0.0');
    await once(site, 'listening');
    const { port } = site.address() as AddressInfo;
    const url = `http://${hostAddress()}:${port}/file`;
    const policy = join(server.home, 'home/build-network-policy.yaml');
    writeFileSync(policy, `default: public\nrules: ["allow:${hostAddress()}:tcp:${port}"]\n`);
    const fetching = join(directory, 'fetching');
    mkdirSync(fetching);
    writeFileSync(
      join(fetching, 'Dockerfile'),
      `FROM ${BASE} AS made
RUN wget -q -O /fetched ${url}
RUN printf 'CONNECT 127.0.0.1:${port} HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n' | nc 172.17.0.1 3130 > /loopback || true
RUN --network=none wget -q -O /none ${url} || echo nothing > /none
FROM scratch
COPY --from=made /fetched /loopback /none /
`,
    );
    const out = join(directory, 'fetched');
    await dockerAt(server.socket, [...BUILD, '--output', `type=local,dest=${out}`, fetching]);
    // A context that git fetches in the builder, with a submodule.
    const part = makeRepository(repositories, 'part', { file: 'of the submodule\n' });
    const origin = `http://${hostAddress()}:${port}`;
    makeRepository(
      repositories,
      'app',
      { Dockerfile: 'FROM scratch\nCOPY part/file greeting /\n', greeting: 'of the repository\n' },
      { part: { ...part, url: `${origin}/part.git` } },
    );
    const context = [...BUILD, '--output', `type=local,dest=${out}`, `${origin}/app.git#main`];
    await dockerAt(server.socket, context);
    // TLS ends at the server's proxy, which git trusts.
    const loopback = `https://127.0.0.1:${port}/app.git#main`;
    await expect(dockerAt(server.socket, [...BUILD, loopback])).rejects.toThrow(
      /GET https:\/\/127\.0\.0\.1:\d+\/app\.git\/info\/refs: it has an address of the host/,
    );
    site.close();
    const file = (name: string): string => readFileSync(join(out, name), 'utf8');
    expect(file('fetched')).toBe('fetched\n');
    expect(file('file')).toBe('of the submodule\n');
    expect(file('greeting')).toBe('of the repository\n');
    expect(file('loopback')).toMatch(/^HTTP\/1\.1 403 Forbidden: it has an address of the host/);
    expect(file('none')).toBe('nothing\n');
    expect(asked).toEqual(['/file']);
  },
  SLOW_MS,
);

it(
  'hands all HTTP of its programs to the control server',
  async () => {
    const asked: string[] = [];
    const end = held.builder.serveProxy((connection: Duplex) => {
      connection.once('data', (data: Buffer) => {
        asked.push(data.toString('latin1').split('\r\n')[0] ?? '');
        connection.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
      });
    });
    await expect(docker('pull', 'registry.example/some/image:1')).rejects.toThrow(/Forbidden/);
    end();
    expect(new Set(asked)).toEqual(new Set(['CONNECT registry.example:443 HTTP/1.1']));
  },
  SLOW_MS,
);

itInSoak(
  'starts another builder after the VMM was killed, from a memory snapshot, and keeps its cache',
  async () => {
    const killed = boxOf('default').definition.id;
    const vmm = processesWith(killed).find(({ commandLine }) =>
      commandLine.startsWith('/usr/bin/qemu-system'),
    );
    if (vmm === undefined) throw new Error('no VMM runs');
    process.kill(vmm.pid, 'SIGKILL');
    await rt.store.when(
      killed,
      (box) => box?.state.status === 'exited',
      new AbortController().signal,
    );
    held.release();
    // One boots while nobody waits for it, and is saved.
    const saved = join(server.home, 'home/builders/saved/default');
    const record = join(saved, 'builder.json');
    await until('a builder was saved', () => existsSync(record), SLOW_MS);
    expect(rt.store.list()).toEqual([]);
    const { authority } = JSON.parse(readFileSync(record, 'utf8')) as Builder;
    expect(await keepsNoSecret(authority.privateKey)).toContain(CACHE_DISK);
    held = await rt.builders.use('default');
    expect(boxOf('default').state.machine).toMatchObject({ start: 'snapshot' });
    expect(existsSync(saved)).toBe(false);
    expect(await dockerAt(server.socket, [...BUILD, CONTEXT])).toContain('CACHED');
  },
  SLOW_MS,
);

it(
  'goes on with a builder under the next server, and ends it when nobody has used it for a while',
  async () => {
    const { id } = boxOf('default').definition;
    // Of the next server: this test ends with no builder.
    settings['A3S_BUILDER_SNAPSHOT'] = 'off';
    await server.stop();
    rt = await server.start();
    const again = await rt.builders.use('default');
    expect(boxOf('default').definition.id).toBe(id);
    expect(again.builder.authority.privateKey).toContain('PRIVATE KEY');
    again.release();
    await until('the builder has ended', () => rt.store.list().length === 0, SLOW_MS);
    expect(rt.volumes.list().map(({ name }) => name)).toEqual(['a3s-builder-default']);
    expect(await keepsNoSecret(again.builder.authority.privateKey)).toContain(CACHE_DISK);
  },
  SLOW_MS,
);
