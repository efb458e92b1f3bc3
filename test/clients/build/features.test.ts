import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect as connectHttp2, constants } from 'node:http2';
import { connect, type LookupFunction } from 'node:net';
import { dirname, join } from 'node:path';
import type { Duplex } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Builder, Builders } from '../../../src/build/builder.ts';
import { upgrade } from '../../../src/build/relay/upgrade.ts';
import { framed } from '../../../src/build/wire/grpc.ts';
import { bytesField, mapOf, readFields, textOf } from '../../../src/build/wire/protobuf.ts';
import type { BuilderSocket } from '../../../src/docker-api/a3s/builder.ts';
import { OCI_INDEX, OCI_MANIFEST } from '../../../src/oci/media-types.ts';
import { openRegistry } from '../../../src/registry/open-registry.ts';
import {
  type StartedRegistry,
  startRegistry,
  TEST_USER,
} from '../../../src/registry/testing/start-registry.ts';
import { type BuilderService, startBuilderService } from '../../peers/builder-service.ts';
import { cachedSteps, EVENTS } from './cached-steps.ts';
import { foundIn } from './found-in.ts';
import { BASE, BuildHome, type Ran } from './home.ts';
import { authorityBytes, buildSecrets } from './secrets.ts';

let build: BuildHome;
let other: BuilderService | undefined;
let registry: StartedRegistry;
/** The registry by a name, since programs reach addresses of this host without a proxy. */
let named: string;
/** One that asks for a login, and its name. */
let withLogin: StartedRegistry;
let secured: string;

beforeAll(async () => {
  registry = await startRegistry();
  named = `cache.test:${registry.host.split(':')[1]}`;
  withLogin = await startRegistry({ htpasswd: true });
  secured = `secured.test:${withLogin.host.split(':')[1]}`;
  other = await startBuilderService({ name: 'other' });
  build = await BuildHome.start(({ home, directory, service }) => {
    const builders = (name: string): Builders =>
      ((name === 'other' ? other : undefined) ?? service).builders;
    home.builders = {
      runs: (name) => builders(name).runs(name),
      use: (name, signal) => builders(name).use(name, signal),
    };
    const settings = join(directory, 'registries.yaml');
    const insecure = [named, secured].map((each) => `"${each}": { insecure: true }`);
    writeFileSync(settings, `registries: { ${insecure.join(', ')} }\n`);
    const lookup: LookupFunction = (name, _, found) =>
      ['cache.test', 'secured.test', 'localhost.test'].includes(name)
        ? found(null, [{ address: '127.0.0.1', family: 4 }])
        : found(Object.assign(new Error(`no ${name} here`), { code: 'ENOTFOUND' }), []);
    const limits = { attempts: 1, backoffMs: 1 };
    home.registry = openRegistry({
      ...{ certsDirectories: [], registriesFiles: [settings], lookup, limits },
    });
  });
});
afterAll(async () => {
  await build?.remove();
  await other?.stop();
  await registry?.stop();
  await withLogin?.stop();
});

function succeeded(ran: Ran): Ran {
  expect(ran, `${ran.stdout}${ran.stderr}`).toMatchObject({ status: 0 });
  return ran;
}

/** Adds a program of the host to a context, with the libraries that it loads. */
function addProgram(context: string, program: string): void {
  const libraries = execFileSync('ldd', [program], { encoding: 'utf8' }).matchAll(/(\/\S+) \(/g);
  for (const path of [program, ...[...libraries].map(([, path = '']) => path)]) {
    const copy = join(context, 'root', path);
    mkdirSync(dirname(copy), { recursive: true });
    cpSync(path, copy, { dereference: true });
  }
}

it('gives a step the SSH agent of its client, and keeps none of it', async () => {
  const socket = join(build.directory, 'agent.sock');
  const started = execFileSync('ssh-agent', ['-a', socket], { encoding: 'utf8' });
  const [, pid = ''] = /SSH_AGENT_PID=(\d+)/.exec(started) ?? [];
  try {
    const env = { SSH_AUTH_SOCK: socket };
    const key = join(build.directory, 'key');
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'of the client', '-f', key]);
    execFileSync('ssh-add', ['-q', key], { env: { ...process.env, ...env }, stdio: 'ignore' });
    const step = 'ssh-add -L > /keys; echo "$SSH_AUTH_SOCK" > /place';
    const context = build.context(
      `${BASE}COPY root /\nRUN --mount=type=ssh,required ${step}\nRUN ssh-add -L || echo none > /without\n`,
    );
    addProgram(context, '/usr/bin/ssh-add');
    const out = join(build.directory, 'ssh');
    const args = ['build', '--ssh', 'default', '--output', `type=local,dest=${out}`, context];
    succeeded(await build.docker(args, { env }));
    expect(readFileSync(join(out, 'keys'), 'utf8')).toBe(readFileSync(`${key}.pub`, 'utf8'));
    expect(readFileSync(join(out, 'without'), 'utf8')).toBe('none\n');
    const place = readFileSync(join(out, 'place'), 'utf8').trim();
    expect(place).toMatch(/^\/run\//);
    expect(existsSync(join(out, place))).toBe(false);
    const missing = await build.docker(['build', '--no-cache', context], {
      env: { SSH_AUTH_SOCK: '' },
    });
    expect(missing.status).not.toBe(0);
    expect(missing.stderr).toMatch(/^ERROR: .*ssh/im);
  } finally {
    process.kill(Number(pid));
  }
});

it('leaves nothing of secrets, of an SSH key and of the key of its authority anywhere', async () => {
  const { secret, sshKey, variable, control, bytes } = buildSecrets(build.directory);
  const name = `${named}/team/secrets:${control}`;
  const mounts = ['type=secret,id=s', 'type=secret,id=v,target=/v', 'type=ssh,required'];
  const reading = 'read s < /run/secrets/s; read v < /v; ssh-add -L > /keys';
  const step = `${reading}; echo "$CONTROL \${#s} \${#v}" > /out; read out < /out; echo "$out"`;
  const run = `RUN ${mounts.map((mount) => `--mount=${mount}`).join(' ')} ${step}`;
  const context = build.context(`${BASE}COPY root /\nARG CONTROL\n${run}\n`);
  addProgram(context, '/usr/bin/ssh-add');
  const given = ['--secret', `id=s,src=${secret}`, '--secret', 'id=v,env=OF_A_VARIABLE'];
  const ssh = ['--ssh', `default=${sshKey}`, '--build-arg', `CONTROL=${control}`];
  const result = ['--push', '--provenance=mode=max', '-t', name];
  const words = ['buildx', 'build', '--progress=plain', ...given, ...ssh, ...result, context];
  const logs = join(build.directory, 'logs');
  const until = (): string => String(Math.floor(Date.now() / 1000) + 1);
  const shown = {
    build: await build.docker(words, { env: { OF_A_VARIABLE: variable } }),
    history: await build.docker(['history', '--no-trunc', name]),
    inspect: await build.docker(['image', 'inspect', name]),
    events: await build.docker(['events', '--since', '0', '--until', until()]),
  };
  mkdirSync(logs);
  for (const [file, ran] of Object.entries(shown)) {
    succeeded(ran);
    writeFileSync(join(logs, file), ran.stdout + ran.stderr);
  }
  expect(shown.build.stderr).toContain(` ${control} 64 64\n`);
  const image = join(build.directory, 'secrets');
  mkdirSync(image);
  succeeded(await build.docker(['save', '--output', `${image}.tar`, name]));
  execFileSync('tar', ['-xf', `${image}.tar`, '-C', image]);
  const { authority } = (await build.service.builders.use('default')).builder;
  const wanted = new Map([...bytes, ...authorityBytes(authority.privateKey)]);
  const places = {
    ...{ logs, image, registry: registry.directory, store: build.store },
    home: dirname(build.home.config.home),
    builder: dirname(build.service.socket),
  };
  const looked: Record<string, number> = {};
  for (const [place, directory] of Object.entries(places)) {
    const { control: ofControl = [], ...others } = await foundIn(directory, wanted);
    looked[place] = ofControl.length;
    // This test has made it in the directory of the builder, where a microVM has none.
    const left = Object.entries(others).filter(
      ([what, paths]) =>
        !(place === 'builder' && what.startsWith('authority') && paths.join() === 'ca.key'),
    );
    expect([place, ...left]).toEqual([place]);
  }
  // What was looked into has the argument of the build: each log, and at least a layer.
  expect(looked['logs']).toBe(Object.keys(shown).length);
  for (const [place, files] of Object.entries(looked)) expect(files, place).toBeGreaterThan(0);
});

it('takes the cache of a result from its registry', async () => {
  const name = `${named}/team/cached:1`;
  const context = build.context(`${BASE}RUN echo long > /long\n`);
  succeeded(
    await build.docker(['buildx', 'build', '--cache-to', 'type=inline', '-t', name, context]),
  );
  succeeded(await build.docker(['push', name]));
  succeeded(await build.docker(['rmi', name]));
  const again = async (...args: string[]): Promise<Ran> => {
    succeeded(await build.docker(['builder', 'prune', '--all', '--force']));
    const words = ['buildx', 'build', '-t', 'again:1', ...args, context];
    return succeeded(await build.docker(words));
  };
  expect(cachedSteps((await again(EVENTS)).stderr)).toEqual([]);
  for (const from of [`type=registry,ref=${name}`, name]) {
    const { stderr } = await again(EVENTS, '--cache-from', from);
    expect(cachedSteps(stderr), stderr).toContain('echo long > /long');
  }
  const absent = await again('--progress=plain', '--cache-from', `${named}/team/absent:1`);
  expect(absent.stderr).toMatch(/ERROR: .*absent:1: not found/);
});

it('writes a cache to a registry, and takes it from there', async () => {
  const cache = `type=registry,ref=${named}/team/cache:1`;
  const context = build.context(`${BASE}FROM scratch\nCOPY --from=0 /made /made\n`);
  const words = ['buildx', 'build', EVENTS, '-t', 'x:1'];
  succeeded(await build.docker([...words, '--cache-to', `${cache},mode=max`, context]));
  succeeded(await build.docker(['builder', 'prune', '--all', '--force']));
  const { stderr } = succeeded(await build.docker([...words, '--cache-from', cache, context]));
  expect(cachedSteps(stderr), stderr).toContain('echo made > /made');
});

it('pushes a result for several platforms from the builder, under all of its names', async () => {
  const names = [`${named}/team/pushed:1`, `${named}/team/pushed:2`, `${named}/other/pushed:1`];
  const context = build.context('FROM scratch\nARG TARGETARCH\nCOPY busybox /$TARGETARCH\n');
  const tags = names.flatMap((name) => ['-t', name]);
  const platforms = ['--platform', 'linux/amd64,linux/arm64'];
  const ran = await build.docker(['buildx', 'build', '--push', ...platforms, ...tags, context]);
  succeeded(ran);
  const digests = new Set<string>();
  for (const name of names) {
    const [, path = '', tag = ''] = /^[^/]+\/(.*):(.*)$/.exec(name) ?? [];
    const answer = await fetch(`http://${registry.host}/v2/${path}/manifests/${tag}`, {
      headers: { accept: OCI_INDEX },
    });
    digests.add(answer.headers.get('docker-content-digest') ?? '');
    const { manifests } = (await answer.json()) as {
      manifests: { digest: string; platform: { architecture: string } }[];
    };
    const architectures = manifests.map(({ platform }) => platform.architecture);
    expect(architectures.toSorted()).toEqual(['amd64', 'arm64', 'unknown', 'unknown']);
    for (const { digest } of manifests) {
      const found = await fetch(`http://${registry.host}/v2/${path}/manifests/${digest}`, {
        headers: { accept: OCI_MANIFEST },
      });
      expect(found.status).toBe(200);
    }
  }
  expect(digests.size).toBe(1);
});

it('begins a stage for another platform with what the registry of an image has for it', async () => {
  const base = `${named}/team/based:1`;
  const context = build.context('FROM scratch\nARG TARGETARCH\nCOPY busybox /$TARGETARCH\n');
  const platforms = ['--platform', 'linux/amd64,linux/arm64'];
  succeeded(await build.docker(['buildx', 'build', '--push', ...platforms, '-t', base, context]));
  expect((await build.home.images.resolve(base)).architecture).toBe('amd64');
  const next = build.context(
    `FROM --platform=linux/arm64 ${base} AS other\nFROM ${base}\nCOPY --from=other / /\n`,
  );
  const out = join(build.directory, 'platforms');
  succeeded(await build.docker(['buildx', 'build', '--output', `type=local,dest=${out}`, next]));
  expect(readdirSync(out).toSorted()).toEqual(['amd64', 'arm64']);
});

it('pushes with the login of the client, which stays in no file of the builder', async () => {
  const name = `${secured}/team/app:1`;
  const context = build.context(`${BASE}RUN echo mine > /mine\n`);
  const cache = `type=registry,ref=${secured}/team/cache:1`;
  const words = ['buildx', 'build', '--push', '-t', name, '--cache-to', cache];
  const refused = await build.docker([...words, context]);
  expect(refused.status).not.toBe(0);
  expect(refused.stderr).toMatch(/^ERROR: .*(?:401 Unauthorized|no basic auth credentials)/m);
  const { username, password } = TEST_USER;
  const auth = Buffer.from(`${username}:${password}`).toString('base64');
  const settings = join(build.directory, 'of-a-user');
  mkdirSync(settings);
  writeFileSync(join(settings, 'config.json'), JSON.stringify({ auths: { [secured]: { auth } } }));
  const env = { DOCKER_CONFIG: settings };
  succeeded(await build.docker([...words, context], { env }));
  const headers = { authorization: `Basic ${auth}` };
  for (const path of ['team/app', 'team/cache']) {
    const url = `http://${withLogin.host}/v2/${path}/manifests/1`;
    expect((await fetch(url, { headers: { ...headers, accept: OCI_INDEX } })).status).toBe(200);
  }
  for (const secret of [auth, password]) {
    const found = spawnSync('grep', ['-r', '-l', '-F', secret, dirname(build.service.socket)]);
    expect([found.status, found.stdout.toString()]).toEqual([1, '']);
  }
});

it('pushes to no registry of this host that its owner has not named', async () => {
  const context = build.context('FROM scratch\nCOPY busybox /b\n');
  const name = `localhost.test:${registry.host.split(':')[1]}/team/app:1`;
  const ran = await build.docker(['buildx', 'build', '--push', '-t', name, context]);
  expect(ran.status).not.toBe(0);
  expect(ran.stderr).toMatch(
    /^ERROR: .*failed to push .*: Cannot reach localhost\.test:\d+: its name leads to 127\.0\.0\.1/m,
  );
});

it('attests a result: its provenance, and by a scanner that it has, what is in it', async () => {
  const out = join(build.directory, 'attested');
  const local = ['--output', `type=local,dest=${out}`];
  const context = build.context(BASE);
  const provenance = ['buildx', 'build', '--provenance=mode=max', ...local, context];
  succeeded(await build.docker(provenance));
  expect(JSON.parse(readFileSync(join(out, 'provenance.json'), 'utf8'))).toMatchObject({
    predicateType: expect.stringContaining('slsa.dev/provenance'),
    predicate: { metadata: { 'https://mobyproject.org/buildkit@v1#metadata': expect.anything() } },
  });
  const statement =
    '{"_type":"https://in-toto.io/Statement/v0.1","predicateType":"https://spdx.dev/Document","predicate":{"name":"scanned"}}';
  const scan = `echo '${statement}' > "$BUILDKIT_SCAN_DESTINATION/sbom.spdx.json"`;
  const scanner = build.context(`${BASE}COPY scan /scan\nENTRYPOINT ["sh", "/scan"]\n`, { scan });
  succeeded(await build.docker(['build', '-t', 'scanner:1', scanner]));
  const sbom = ['buildx', 'build', '--attest', 'type=sbom,generator=scanner:1', ...local, context];
  succeeded(await build.docker(sbom));
  expect(JSON.parse(readFileSync(join(out, 'sbom.spdx.json'), 'utf8'))).toMatchObject({
    predicate: { name: 'scanned' },
  });
});

it('says in one line that the scanner of --sbom cannot be had', async () => {
  const ran = await build.docker(['buildx', 'build', '--sbom=true', build.context(BASE)]);
  expect(ran.status).not.toBe(0);
  expect(ran.stderr).toMatch(/^ERROR: .*docker\/buildkit-syft-scanner.*Cannot reach/m);
});

/** Fields of BuildKit's control API, for its history. */
const LISTEN = { earlyExit: 3 } as const;
const EVENT = { type: 1, record: 2 } as const;
const RECORD = { ref: 1, frontend: 2, frontendAttrs: 3 } as const;
const STATUS = { ref: 1 } as const;
const UPDATE = { ref: 1, delete: 3 } as const;

/** A field that is true. */
const yes = (number: number): Buffer => Buffer.from([number << 3, 1]);

/** One call as clients of BuildKit make it, and all messages of its answer. */
async function call(method: string, message: Buffer): Promise<readonly Buffer[]> {
  const dial = (): Promise<Duplex> =>
    new Promise((resolve, reject) => {
      const connection = connect({ path: build.home.config.socket, allowHalfOpen: true });
      connection.once('connect', () => resolve(connection)).once('error', reject);
    });
  const signal = AbortSignal.timeout(60_000);
  const stream = await upgrade({ dial } as Builder, '/grpc', { upgrade: 'h2c' }, signal);
  const session = connectHttp2('http://localhost', { createConnection: () => stream });
  try {
    const request = session.request({
      [constants.HTTP2_HEADER_METHOD]: 'POST',
      [constants.HTTP2_HEADER_PATH]: `/moby.buildkit.v1.Control/${method}`,
      ...{ 'content-type': 'application/grpc', te: 'trailers' },
    });
    let status: unknown;
    request.on('trailers', (trailers) => {
      status = trailers['grpc-status'];
    });
    request.end(framed(message));
    let rest = await buffer(request);
    expect(status).toBe('0');
    const messages: Buffer[] = [];
    while (rest.length > 0) {
      const end = 5 + rest.readUInt32BE(1);
      messages.push(rest.subarray(5, end));
      rest = rest.subarray(end);
    }
    return messages;
  } finally {
    session.destroy();
  }
}

async function history(): Promise<readonly { ref: string; arguments: string | undefined }[]> {
  const events = await call('ListenBuildHistory', yes(LISTEN.earlyExit));
  return events.flatMap((event) => {
    const record = readFields(event).find(({ number }) => number === EVENT.record)?.content;
    if (record === undefined) return [];
    const fields = readFields(record);
    const attributes = mapOf(fields, RECORD.frontendAttrs);
    return [{ ref: textOf(fields, RECORD.ref), arguments: attributes.get('build-arg:WHICH') }];
  });
}

it('lists the builds of its builder, gives the log of one, and forgets it', async () => {
  const context = build.context(`${BASE}ARG WHICH\nRUN echo $WHICH\n`);
  succeeded(await build.docker(['build', '--build-arg', 'WHICH=this one', context]));
  const found = (await history()).filter((record) => record.arguments === 'this one');
  expect(found).toHaveLength(1);
  const [{ ref } = { ref: '' }] = found;
  const log = Buffer.concat(await call('Status', bytesField(STATUS.ref, ref))).toString();
  expect(log).toContain('this one\n');
  await call(
    'UpdateBuildHistory',
    Buffer.concat([bytesField(UPDATE.ref, ref), yes(UPDATE.delete)]),
  );
  expect((await history()).map((record) => record.ref)).not.toContain(ref);
});

/** The client builds with the other builder. */
async function inOther(): Promise<{ readonly DOCKER_HOST: string }> {
  const { body } = await build.home.call('POST', '/a3s/v1/builders/other/socket');
  return { DOCKER_HOST: `unix://${(body as BuilderSocket).socket}` };
}

it('gives equal builds equal digests on two builders', async () => {
  const digests: string[] = [];
  for (const env of [{}, await inOther()]) {
    const context = build.context(`${BASE}RUN echo a > /a; echo b > /b\n`, { file: 'x' });
    const output = 'type=image,name=equal:1,rewrite-timestamp=true';
    const args = ['buildx', 'build', '--no-cache', '--provenance=false', '--output', output];
    const epoch = { ...env, SOURCE_DATE_EPOCH: '1700000000' };
    succeeded(await build.docker([...args, context], { env: epoch }));
    digests.push((await build.home.images.resolve('equal:1')).manifestDigest);
  }
  expect(digests[0]).toBe(digests[1]);
});

it('keeps the cache and the results of one builder from the other', async () => {
  const context = build.context(`${BASE}RUN echo apart > /apart\n`);
  const words = ['buildx', 'build', EVENTS, '-t', 'apart:1', context];
  const env = await inOther();
  const cached = async (given: { readonly env?: typeof env } = {}): Promise<boolean> =>
    cachedSteps(succeeded(await build.docker(words, given)).stderr).includes('echo apart > /apart');
  await cached();
  expect(await cached()).toBe(true);
  expect(await cached({ env })).toBe(false);
  expect(await cached({ env })).toBe(true);
  succeeded(await build.docker(['builder', 'prune', '--all', '--force'], { env }));
  expect(await cached()).toBe(true);
  expect(await cached({ env })).toBe(false);
});
