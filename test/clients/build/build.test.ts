import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { BUILDX, findPlugin } from '../../../src/cli/commands/docker/find-plugin.ts';
import type { DiskUsage } from '../../../src/docker-api/system/system.ts';
import { A3sError } from '../../../src/errors.ts';
import type { Image } from '../../../src/images/image.ts';
import { openRegistry } from '../../../src/registry/open-registry.ts';
import { startRegistry } from '../../../src/registry/testing/start-registry.ts';
import { until } from '../../e2e/processes.ts';
import { hostAddress } from '../../e2e/support/host-address.ts';
import { BASE, BuildHome, type Ran } from './home.ts';

const DEV_CONTAINERS = join(
  import.meta.dirname,
  '../../../node_modules/@devcontainers/cli/devcontainer.js',
);

let build: BuildHome;

beforeAll(async () => {
  build = await BuildHome.start(({ home }) => {
    home.registry = openRegistry({ certsDirectories: [], registriesFiles: [] });
  });
});
afterAll(() => build?.remove());

function succeeded(ran: Ran): Ran {
  expect(ran, `${ran.stdout}${ran.stderr}`).toMatchObject({ status: 0 });
  return ran;
}

const image = (name: string): Promise<Image> => build.home.images.resolve(name);
const names = (): Promise<string> =>
  build.inBuilder(['images', '--all', '--format', '{{.Repository}}:{{.Tag}}']);

it('stores the image of docker build before the client returns, under all of its names', async () => {
  const tags = ['-t', 'made:1', '-t', 'registry.example/team/made'];
  succeeded(await build.docker(['build', ...tags, build.context(BASE)]));
  const made = await image('made:1');
  expect(made.config.env).toContain('A=b');
  expect(made.tags).toEqual(
    expect.arrayContaining(['made:1', 'registry.example/team/made:latest']),
  );
  expect(made.origins).toMatchObject([{ kind: 'build' }]);
  // Its index and attestation are those of the builder.
  expect(made.indexDigests).toHaveLength(1);
});

it('keeps no name and no result in the builder', async () => {
  expect((await names()).trim()).toBe('');
});

it('prints and writes the id that the image has here', async () => {
  const written = join(build.directory, 'id');
  const metadata = join(build.directory, 'metadata');
  const files = ['--iidfile', written, '--metadata-file', metadata];
  const ran = succeeded(
    await build.docker(['build', '-q', '-t', 'quiet:1', ...files, build.context(BASE)]),
  );
  const { id, indexDigests } = await image('quiet:1');
  expect(ran.stdout.trim()).toBe(id);
  expect(readFileSync(written, 'utf8')).toBe(id);
  const described = JSON.parse(readFileSync(metadata, 'utf8'));
  expect(described['image.name']).toBe('quiet:1');
  // Each build makes an attestation, and so an index, of its own around one manifest.
  expect(indexDigests).toContain(described['containerimage.digest']);
});

it('builds without a name as docker does: an image with an id alone', async () => {
  const ran = succeeded(await build.docker(['build', '-q', build.context(`${BASE}ENV N=1\n`)]));
  expect(await image(ran.stdout.trim())).toMatchObject({ tags: [] });
});

it('builds without BuildKit, and says the names in the usual words', async () => {
  const env = { DOCKER_BUILDKIT: '0' };
  const ran = succeeded(
    await build.docker(['build', '-t', 'classic:1', build.context(BASE)], { env }),
  );
  const said = /Successfully built ([0-9a-f]{12})\nSuccessfully tagged classic:1\n/.exec(
    ran.stdout,
  );
  expect(await image('classic:1')).toMatchObject({
    id: expect.stringMatching(`^sha256:${said?.[1]}`),
    config: { env: expect.arrayContaining(['A=b']) },
  });
  const quiet = succeeded(await build.docker(['build', '-q', build.context(BASE)], { env }));
  expect(await image(quiet.stdout.trim())).toMatchObject({
    config: { env: expect.arrayContaining(['A=b']) },
  });
  expect(await names()).not.toContain('classic');
});

it('builds an image without a layer, with BuildKit and without', async () => {
  const context = build.context('FROM scratch\nLABEL a=b\n');
  for (const [name, env] of [
    ['empty:1', { DOCKER_BUILDKIT: '0' }],
    ['empty:2', {}],
  ] as const) {
    succeeded(await build.docker(['build', '-t', name, context], { env }));
    expect(await image(name)).toMatchObject({ config: { labels: { a: 'b' } } });
  }
});

it('begins a build with an image of the store, with BuildKit and without', async () => {
  for (const DOCKER_BUILDKIT of ['1', '0']) {
    const context = build.context('FROM made:1\nRUN echo $A > /read\nENV C=d\n');
    const env = { DOCKER_BUILDKIT };
    succeeded(await build.docker(['build', '-t', `child:${DOCKER_BUILDKIT}`, context], { env }));
    const { config, diffIds, origins } = await image(`child:${DOCKER_BUILDKIT}`);
    expect(config.env).toEqual(expect.arrayContaining(['A=b', 'C=d']));
    const base = await image('made:1');
    expect(diffIds.slice(0, 2)).toEqual(base.diffIds);
    const used = { name: 'made:1', manifest: base.manifestDigest };
    const bases = expect.arrayContaining([expect.objectContaining(used)]);
    expect(origins).toMatchObject([{ kind: 'build', bases }]);
  }
  expect((await names()).trim().replaceAll('<none>:<none>', '').trim()).toBe('');
});

it('gives a failing step to the client, with its line', async () => {
  for (const DOCKER_BUILDKIT of ['1', '0']) {
    const context = build.context(`${BASE}RUN echo why >&2; exit 7\n`);
    const ran = await build.docker(['build', '-t', 'failed:1', context], {
      env: { DOCKER_BUILDKIT },
    });
    expect(ran.status).not.toBe(0);
    expect(ran.stdout + ran.stderr).toMatch(/why[\s\S]*(?:exit code: 7|non-zero code: 7)/);
  }
  await expect(image('failed:1')).rejects.toMatchObject({ code: 'no-such-image' });
});

it('connects steps to what the network policy of builds permits, and to nothing else', async () => {
  const asked: string[] = [];
  const server = createServer(({ url = '' }, response) => {
    asked.push(url);
    response.end('fetched');
  });
  server.listen(0, '0.0.0.0');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const address = hostAddress();
  const policy = join(build.home.config.home, 'build-network-policy.yaml');
  const shell = `${BASE}COPY busybox /bin/busybox\n`;
  try {
    for (const DOCKER_BUILDKIT of ['1', '0']) {
      const env = { DOCKER_BUILDKIT, HTTP_PROXY: 'http://client.invalid:1' };
      const url = `http://${address}:${port}/${DOCKER_BUILDKIT}`;
      const fetching = `${shell}RUN busybox wget -q -O /fetched ${url} && busybox grep fetched /fetched\n`;
      writeFileSync(policy, 'default: public\n');
      const refused = await build.docker(['build', build.context(fetching)], { env });
      expect(refused.status).not.toBe(0);
      expect(refused.stdout + refused.stderr).toMatch(/403 Forbidden: it has a private address/);
      writeFileSync(policy, `rules: ["allow:${address}:tcp:${port}"]\n`);
      const name = `fetched:${DOCKER_BUILDKIT}`;
      succeeded(await build.docker(['build', '-t', name, build.context(fetching)], { env }));
      const { config } = await image(name);
      expect(config.env.join()).not.toMatch(/proxy/i);
      const history = ['history', '--no-trunc', '--format', '{{.CreatedBy}}', name];
      expect((await build.docker(history)).stdout).not.toMatch(/proxy|172\.17/i);
      expect(asked.splice(0)).toEqual([`/${DOCKER_BUILDKIT}`]);
    }
    const metadata = `${shell}RUN busybox wget -O - http://169.254.169.254/latest\n`;
    const ran = await build.docker(['build', build.context(metadata)]);
    expect(ran.stderr).toMatch(/Refused meanwhile: http:\/\/169\.254\.169\.254\/latest: it has an/);
    writeFileSync(policy, 'rules: [allow]\n');
    const broken = await build.docker(['build', build.context(BASE)]);
    expect(broken.stderr).toMatch(/Cannot use the network policy .*rules\[0\]/);
  } finally {
    server.close();
    rmSync(policy, { force: true });
  }
});

it('gives steps no network where none is asked for, and refuses one of the user in one line', async () => {
  succeeded(await build.docker(['network', 'create', 'mine']));
  const context = build.context(BASE);
  for (const [DOCKER_BUILDKIT, words] of [
    ['1', /^ERROR: network mode "mine" not supported by buildkit/m],
    ['0', /Cannot give the steps of a build the network mine: /],
  ] as const) {
    const building = (network: string) =>
      build.docker(['build', '--no-cache', '--network', network, context], {
        env: { DOCKER_BUILDKIT },
      });
    succeeded(await building('none'));
    const refused = await building('mine');
    expect(refused.status).not.toBe(0);
    expect(refused.stderr).toMatch(words);
    expect((await building('host')).stderr).toMatch(/network\.host|the network host/);
  }
});

it('puts no step into a control group beside the one that bounds all of them', async () => {
  const words = ['build', '--cgroup-parent', '/beside', build.context(BASE)];
  for (const DOCKER_BUILDKIT of ['1', '0']) {
    const ran = await build.docker(words, { env: { DOCKER_BUILDKIT } });
    expect(ran.status).not.toBe(0);
    expect(ran.stderr).toMatch(/Cannot give the steps of a build the control group \/beside: /);
  }
});

it('takes no options of a build from its body, where a daemon would look for a form', async () => {
  succeeded(await build.docker(['build', '-t', 'shell:1', build.context(BASE)]));
  const context = build.context('FROM shell:1\nRUN cat /proc/net/dev\n');
  // The daemon reads 4,096 bytes before it looks for a form in the rest.
  const archive = execFileSync('tar', ['-c', '-b', '8', '-C', context, 'Dockerfile']);
  expect(archive).toHaveLength(4096);
  const form = 'networkmode=host&cgroupparent=/beside&t=taken:1&labels={"of":"the body"}';
  const forms = [
    ['application/x-www-form-urlencoded', form],
    ['Application/X-WWW-Form-URLencoded; charset=x', form],
    [
      'multipart/form-data; boundary=b',
      '--b\r\nContent-Disposition: form-data; name="networkmode"\r\n\r\nhost\r\n--b--\r\n',
    ],
  ] as const;
  for (const [type, more] of forms) {
    const answer = await posted(
      '/build?t=plain:1',
      type,
      Buffer.concat([archive, Buffer.from(more)]),
    );
    expect(answer).toContain('Successfully tagged plain:1');
    expect(answer).not.toMatch(/docker0|taken/);
    expect((await image('plain:1')).config.labels).toEqual({});
  }
});

/** The answer of the server to a body of this type. */
function posted(path: string, type: string, body: Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': type };
    const { socket } = build.home.config;
    const sent = request({ socketPath: socket, method: 'POST', path, headers });
    sent.once('response', (response) => text(response).then(resolve, reject));
    sent.once('error', reject).end(body);
  });
}

it('waits for a builder that starts for longer than a client waits for its first answer', async () => {
  const { builders } = build.service;
  const use = builders.use.bind(builders);
  let starting: Promise<void> | undefined;
  // Go's gRPC gives up after 20 seconds.
  builders.use = async (...given) => {
    starting ??= delay(21_000);
    await starting;
    return await use(...given);
  };
  try {
    const context = build.context(`${BASE}ENV LATE=1\n`);
    succeeded(await build.docker(['build', '-t', 'late:1', context]));
  } finally {
    builders.use = use;
  }
  expect((await image('late:1')).config.env).toContain('LATE=1');
});

it('gives two builds of one result at once the same image, and keeps none of it', async () => {
  const context = build.context(`${BASE}ENV SAME=1\n`);
  const env = { SOURCE_DATE_EPOCH: '1700000000' };
  const build1 = (name: string) => {
    const output = `type=image,name=${name},rewrite-timestamp=true`;
    return build.docker(['buildx', 'build', '--output', output, '--provenance=false', context], {
      env,
    });
  };
  for (const ran of await Promise.all(['same:1', 'same:2'].map(build1))) succeeded(ran);
  expect((await image('same:1')).id).toBe((await image('same:2')).id);
  expect(await build.inBuilder(['images', '--all', '--quiet'])).toBe('');
});

it('removes the results that a server left which was killed', async () => {
  await build.inBuilder(['build', '--tag', 'left:1', build.context(BASE)]);
  const id = (await build.inBuilder(['images', '--quiet', '--no-trunc'])).trim();
  build.ctr('images', 'tag', 'docker.io/library/left:1', `a3s-result-left@${id}`);
  build.ctr('images', 'rm', 'docker.io/library/left:1');
  succeeded(await build.docker(['build', '-t', 'next:1', build.context(BASE)]));
  expect(build.ctr('images', 'ls', '--quiet')).toBe('');
});

it('runs two builds of one name at once, and the name means one of them', async () => {
  const contexts = [1, 2].map((n) => build.context(`${BASE}ENV N=${n}\n`));
  const all = contexts.map((context) => build.docker(['build', '-t', 'twice:1', context]));
  for (const ran of await Promise.all(all)) succeeded(ran);
  const { config } = await image('twice:1');
  expect(['N=1', 'N=2'].filter((each) => config.env.includes(each))).toHaveLength(1);
});

it('passes secrets and build arguments, and none of the secret is in the image', async () => {
  const secret = join(build.directory, 'secret');
  writeFileSync(secret, 'open sesame');
  const text = `# a comment\n${BASE}ARG WHAT\nRUN --mount=type=secret,id=s read s < /run/secrets/s; echo "$WHAT \${#s}" > /out\n`;
  const args = ['--secret', `id=s,src=${secret}`, '--build-arg', 'WHAT=length', '-t', 'secret:1'];
  const out = join(build.directory, 'out');
  succeeded(await build.docker(['build', ...args, build.context(text)]));
  succeeded(
    await build.docker([
      'build',
      ...args,
      '--output',
      `type=local,dest=${out}`,
      build.context(text),
    ]),
  );
  expect(readFileSync(join(out, 'out'), 'utf8')).toBe('length 11\n');
});

it('gives equal builds equal digests with SOURCE_DATE_EPOCH and rewrite-timestamp', async () => {
  const context = build.context(BASE);
  const env = { SOURCE_DATE_EPOCH: '1700000000' };
  const digests: string[] = [];
  for (const name of ['equal:1', 'equal:2']) {
    const output = `type=image,name=${name},rewrite-timestamp=true`;
    const args = ['--output', output, '--provenance=false', '--no-cache', context];
    succeeded(await build.docker(['buildx', 'build', ...args], { env }));
    digests.push((await image(name)).manifestDigest);
  }
  expect(digests[0]).toBe(digests[1]);
});

it('builds all targets of docker buildx bake, and stores a result for several platforms', async () => {
  const bake = JSON.stringify({
    group: { default: { targets: ['one', 'two'] } },
    target: {
      one: { tags: ['baked:1'] },
      two: { tags: ['baked:2'], platforms: ['linux/amd64', 'linux/arm64'] },
    },
  });
  const context = build.context('FROM scratch\nCOPY busybox /b\n', { 'bake.json': bake });
  const file = join(context, 'bake.json');
  succeeded(await build.docker(['buildx', 'bake', '-f', file, '--set', `*.context=${context}`]));
  for (const name of ['baked:1', 'baked:2']) expect((await image(name)).tags).toContain(name);
});

it('stores a result for a platform that boxes here can have, and refuses one for another', async () => {
  const context = build.context('FROM scratch\nCOPY busybox /b\n');
  const building = (platform: string, name: string, ...args: string[]) =>
    build.docker(['build', '--platform', platform, '-t', name, ...args, context]);
  for (const args of [[], ['--provenance=false']]) {
    succeeded(await building('linux/arm64', 'arm:1', ...args));
    expect(await image('arm:1')).toMatchObject({ architecture: 'arm64', tags: ['arm:1'] });
  }
  for (const args of [[], ['--provenance=false']]) {
    const ran = await building('linux/riscv64', 'other:1', ...args);
    expect(ran.status).not.toBe(0);
    expect(ran.stderr).toMatch(/^ERROR: .*linux/m);
  }
});

it('takes an image of the store for its own platform, and for no other', async () => {
  const base = build.context('FROM scratch\nCOPY busybox /b\n');
  succeeded(await build.docker(['build', '--platform', 'linux/arm64', '-t', 'based:1', base]));
  const next = build.context('FROM based:1\nCOPY Dockerfile /d\n');
  const building = (platforms: string) =>
    build.docker(['build', '--platform', platforms, '-t', 'next:1', next]);
  succeeded(await building('linux/arm64'));
  for (const platforms of ['linux/amd64', 'linux/amd64,linux/arm64']) {
    const ran = await building(platforms);
    expect(ran.status).not.toBe(0);
    expect(ran.stderr).toMatch(/^ERROR: .*no match for platform/m);
  }
  // Though the build itself is for the platform that is here.
  const stage = build.context('FROM --platform=linux/amd64 based:1\nCOPY Dockerfile /d\n');
  for (const DOCKER_BUILDKIT of ['1', '0']) {
    const ran = await build.docker(['build', '--platform', 'linux/arm64', stage], {
      env: { DOCKER_BUILDKIT },
    });
    expect(ran.status, ran.stderr).not.toBe(0);
    expect(ran.stderr).toMatch(/no match for platform/);
  }
});

it('cancels the build of a client that is gone', async () => {
  const context = build.context(`${BASE}RUN echo begun; while true; do true; done\n`);
  for (const DOCKER_BUILDKIT of ['1', '0']) {
    await build.docker(['build', '--progress=plain', '-t', 'gone:1', context], {
      env: { DOCKER_BUILDKIT },
      running: (child) => {
        for (const stream of [child.stdout, child.stderr]) {
          stream?.on('data', (text: string) => {
            if (/^(?:#\d+ [\d.]+ )?begun/m.test(text)) child.kill('SIGKILL');
          });
        }
      },
    });
    await until('the builder is released', () => build.service.uses() === 0);
  }
  await expect(image('gone:1')).rejects.toMatchObject({ code: 'no-such-image' });
  succeeded(await build.docker(['build', '-t', 'after:1', build.context(BASE)]));
});

it('fails a build whose builder has ended, in one line', async () => {
  const context = build.context(`${BASE}RUN echo begun; while true; do true; done\n`);
  const ran = await build.docker(['build', '--progress=plain', '-t', 'cut:1', context], {
    running: ({ stderr }) => {
      stderr?.on('data', (text: string) => {
        if (/ begun$/m.test(text)) build.service.cut();
      });
    },
  });
  expect(ran.status).not.toBe(0);
  expect(ran.stderr).toMatch(/^ERROR: .*the build broke off, since its builder has ended/m);
  await until('the builder is released', () => build.service.uses() === 0);
});

it('fails a build whose result cannot be stored, and keeps none of it in the builder', async () => {
  const { images } = build.home;
  const ingest = images.ingest.bind(images);
  images.ingest = () => Promise.reject(new A3sError('disk-full', 'No space is left for the image'));
  try {
    for (const DOCKER_BUILDKIT of ['1', '0']) {
      const env = { DOCKER_BUILDKIT };
      const context = build.context(`${BASE}ENV FULL=${DOCKER_BUILDKIT}\n`);
      const ran = await build.docker(['build', '-t', 'full:1', context], { env });
      expect(ran.status).not.toBe(0);
      expect(ran.stderr).toContain('No space is left for the image');
    }
  } finally {
    images.ingest = ingest;
  }
  await expect(image('full:1')).rejects.toMatchObject({ code: 'no-such-image' });
  expect(await names()).not.toContain('full');
});

it('builds by docker-buildx itself, as a3s-box build runs it', async () => {
  const program = findPlugin(BUILDX, process.env);
  const env = { BUILDX_BUILDER: 'default' };
  succeeded(await build.run(program, ['build', '-t', 'alone:1', build.context(BASE)], env));
  expect((await image('alone:1')).tags).toContain('alone:1');
});

it('builds the Dockerfile of a devcontainer.json by the Dev Containers CLI', async () => {
  succeeded(await build.docker(['build', '-t', 'development:1', build.context(BASE)]));
  const dockerfile = 'ARG FROM\nFROM $FROM\nARG SAID\nRUN echo $SAID > /said\n';
  const configuration = {
    build: { dockerfile: 'Dockerfile', args: { FROM: 'development:1', SAID: 'hello' } },
  };
  const folder = build.context('', {
    '.devcontainer/devcontainer.json': JSON.stringify(configuration),
    '.devcontainer/Dockerfile': dockerfile,
  });
  // Fresh, so it is used as it is: without it, the CLI asks containers.dev for it.
  const cache = join(build.directory, `devcontainercli-${userInfo().username}`);
  mkdirSync(cache);
  const manifest = join(cache, 'control-manifest.json');
  writeFileSync(manifest, '{}');
  const { mtimeMs } = statSync(manifest);
  const words = ['build', '--workspace-folder', folder, '--image-name', 'developed:1'];
  const ran = await build.run(process.execPath, [DEV_CONTAINERS, ...words], {
    TMPDIR: build.directory,
  });
  succeeded(ran);
  expect(JSON.parse(ran.stdout)).toMatchObject({ outcome: 'success' });
  // A fetch writes it anew, and one that fails its time.
  expect(readFileSync(manifest, 'utf8')).toBe('{}');
  expect(statSync(manifest).mtimeMs).toBe(mtimeMs);
  const out = join(build.directory, 'developed');
  const next = build.context('FROM developed:1\n');
  succeeded(await build.docker(['build', '--output', `type=local,dest=${out}`, next]));
  expect(readFileSync(join(out, 'said'), 'utf8')).toBe('hello\n');
});

it('answers for the builder itself: du, system df, prune, ls', async () => {
  const usage = async () =>
    (await build.home.call('GET', '/system/df?type=build-cache')).body as DiskUsage;
  const { BuildCache = [] } = await usage();
  expect(BuildCache.length).toBeGreaterThan(0);
  expect(BuildCache.some(({ Size }) => Size > 0)).toBe(true);
  expect(succeeded(await build.docker(['system', 'df'])).stdout).toMatch(
    new RegExp(`Build Cache +${BuildCache.length} `),
  );
  expect(succeeded(await build.docker(['buildx', 'du'])).stdout).toContain('Total:');
  expect(succeeded(await build.docker(['builder', 'prune', '--force', '--all'])).stdout).toMatch(
    /Total/,
  );
  expect(await usage()).toEqual({ BuildCache: [], BuilderSize: 0 });
  expect(succeeded(await build.docker(['buildx', 'ls'])).stdout).toMatch(/default\*?\s+docker/);
});

it('builds and pushes the services of docker compose, and pulls them from their registry', async () => {
  const registry = await startRegistry();
  try {
    const name = `${registry.host}/composed:1`;
    const compose = `services:\n  web:\n    build: .\n    image: ${name}\n`;
    const context = build.context(BASE, { 'compose.yaml': compose });
    const run = async (...args: readonly string[]): Promise<Ran> =>
      succeeded(await build.docker(['compose', '--file', join(context, 'compose.yaml'), ...args]));
    await run('build');
    const built = await image(name);
    expect(built).toMatchObject({ origins: [{ kind: 'build' }] });
    await run('push');
    succeeded(await build.docker(['rmi', name]));
    await expect(image(name)).rejects.toMatchObject({ code: 'no-such-image' });
    await run('pull');
    expect((await image(name)).manifestDigest).toBe(built.manifestDigest);
  } finally {
    await registry.stop();
  }
});
