import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type StartedRegistry, startRegistry } from '../../src/registry/testing/start-registry.ts';
import { buildImage, busyboxImage, dockerArchive } from '../images/build-image.ts';
import { ACTORS, Actor, type Result } from './actor.ts';
import { type Installation, install } from './installation.ts';
import { expectRefusal } from './refusal.ts';
import { scaled } from './time-scale.ts';

let installation: Installation;
let registry: StartedRegistry;
let actor: Actor;

beforeAll(async () => {
  installation = await install();
  registry = await startRegistry();
  actor = new Actor(ACTORS[0] ?? 'ordinary user', installation);
  await actor.prepare();
  tool('cosign', ['generate-key-pair', '--output-key-prefix', 'cosign']);
  installPolicy(policy());
});
afterAll(async () => {
  await actor?.leave();
  await registry?.stop();
  installation?.remove();
});

/** A program of the host, as publishers of images run it. */
function tool(program: string, args: readonly string[]): string {
  return execFileSync(program, args, {
    cwd: registry.directory,
    env: {
      PATH: process.env['PATH'],
      HOME: registry.directory,
      COSIGN_PASSWORD: '',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: scaled(60_000),
    encoding: 'utf8',
  });
}

const repository = (name: string): string => `${registry.host}/team/${name}`;

/** An archive with a busybox image of its own, so that no test meets another one's signatures. */
function archiveOf(name: string): string {
  const path = join(registry.directory, `${name.replaceAll(/[^a-z0-9]/g, '-')}.tar`);
  const image = busyboxImage(`test/${name}`);
  const layer = [{ path: 'name', data: Buffer.from(name) }];
  writeFileSync(path, dockerArchive([buildImage({ ...image, layers: [...image.layers, layer] })]));
  return path;
}

/** Puts a test image into the registry, and gives its digest. */
function publish(name: string, place = repository(name)): string {
  tool('skopeo', [
    ...['copy', '--quiet', '--dest-tls-verify=false'],
    ...[`docker-archive:${archiveOf(name)}`, `docker://${place}`],
  ]);
  const format = ['--format', '{{.Digest}}'];
  return tool('skopeo', ['inspect', '--tls-verify=false', ...format, `docker://${place}`]).trim();
}

function sign(name: string, digest: string): void {
  const image = `${repository(name.replace(/:.*/, ''))}@${digest}`;
  tool('cosign', ['sign', '--yes', '--tlog-upload=false', '--key', 'cosign.key', image]);
}

function policy(): string {
  return [
    'images:',
    `  - pattern: "${registry.host}/team/**"`,
    '    require:',
    `      - keys: [cosign.pub]`,
    '        transparencyLog: none',
    '  - pattern: "**"',
    '    allowUnsigned: true',
    '',
  ].join('\n');
}

/** The standing policy of the actor's home, with the key that it names. */
function installPolicy(text: string): void {
  for (const [name, content] of [
    ['image-policy.yaml', text],
    ['cosign.pub', readFileSync(join(registry.directory, 'cosign.pub'), 'utf8')],
  ] as const) {
    const path = join(actor.home, name);
    writeFileSync(path, content, { mode: 0o600 });
    actor.own(path);
  }
}

const NOTHING = ['--network', 'none'];

/** Nothing of a VM was made: the first that is made stays in the box's directory. */
function expectNoVm(id?: string): void {
  expect(actor.boxProcesses().map(({ commandLine }) => commandLine)).toEqual([]);
  if (id !== undefined) {
    expect(existsSync(join(actor.home, 'boxes', id))).toBe(true);
    expect(existsSync(join(actor.home, 'boxes', id, 'changes.ext4'))).toBe(false);
  }
}

function expectUntrusted(result: Result, status: number, ...reasons: string[]): void {
  expectRefusal(result, status, 'image-untrusted');
  expect(result.stderr).toContain(`rule 1 ("${registry.host}/team/**")`);
  for (const reason of reasons) expect(result.stderr).toContain(reason);
}

async function inspect(id: string, template: string): Promise<string> {
  return await actor.ok(['inspect', '--format', template, id]);
}

const run = (image: string, ...args: string[]): Promise<Result> =>
  actor.run(['run', '--rm', '--quiet', ...NOTHING, image, ...args]);

describe('an image that its team has signed', () => {
  let image: string;
  beforeAll(() => {
    image = repository('signed:1');
    sign('signed:1', publish('signed:1'));
  });

  it('a signed image is pulled with its verdict, verified, and boots', async () => {
    expect(await actor.ok(['pull', image])).toContain('signed by cosign.pub');
    expect((await actor.run(['image', 'verify', image])).code).toBe(0);
    expect(await run(image, 'echo', 'booted')).toMatchObject({ code: 0, stdout: 'booted\n' });
  });

  it('a box of a signed image shows its trust decision', async () => {
    const id = await actor.ok(['create', ...NOTHING, image, 'true']);
    expect(await inspect(id, '{{.Trust.verdict}} {{.Trust.rule.pattern}}')).toBe(
      `signed ${registry.host}/team/**`,
    );
    expect(await actor.ok(['ps', '--all', '--format', '{{.Trust}}'])).toBe('signed');
    expect(await actor.ok(['ps', '--all'])).toMatch(/STATUS +TRUST/);
    await actor.ok(['rm', id]);
  });

  it('a box of a signed image starts although its tag has moved to an unsigned image', async () => {
    const id = await actor.ok(['create', ...NOTHING, image, 'echo', 'pinned']);
    publish('moved:1', image);
    expectUntrusted(await actor.run(['pull', '--quiet', image]), 1, 'none was found');
    await actor.ok(['load', '--quiet', '--input', archiveOf('moved:1')]);
    await actor.ok(['tag', 'test/moved:1', image]);
    expectUntrusted(await run(image), 125, 'none was found');
    const started = await actor.run(['start', '--attach', id]);
    expect(started).toMatchObject({ code: 0, stdout: 'pinned\n' });
    expect(await inspect(id, '{{.Trust.verdict}}')).toBe('signed');
    await actor.ok(['rm', id]);
  });
});

it('accepts an image by the signature of an index that lists it', async () => {
  const image = repository('index:1');
  const digest = publish('index:0');
  const index = await putIndex('index', '1', digest);
  sign('index:1', index);
  await actor.ok(['pull', '--quiet', image]);
  const verified = await actor.run(['image', 'verify', image]);
  expect(verified).toMatchObject({ code: 0, stderr: '' });
  expect(verified.stdout).toContain(`Manifest:   ${digest}\nListed by:  ${index}\n`);
  const id = await actor.ok(['create', ...NOTHING, image, 'true']);
  expect(await inspect(id, '{{index .Trust.image.indexDigests 0}}')).toBe(index);
  await actor.ok(['rm', id]);
});

// Signatures by other keys, of other images, and changed ones: src/trust/evidence, and
// test/clients/cosign.test.ts.
describe('images that must not start', () => {
  it('starts no box from an unsigned image', async () => {
    const image = repository('unsigned:1');
    publish('unsigned:1');
    expectUntrusted(await actor.run(['pull', '--quiet', image]), 1, 'no signature by cosign.pub');
    expectUntrusted(await run(image), 125, 'no signature by cosign.pub');
    expectNoVm();
    const verified = await actor.run(['image', 'verify', image]);
    expect(verified.code).toBe(2);
    expect(verified.stderr).toContain('no-such-image');
  });

  it('starts no box from an image without its signature once the registry is asked', async () => {
    const image = repository('stripped:1');
    const digest = publish('stripped:1');
    sign('stripped:1', digest);
    const id = await actor.ok(['create', '--quiet', ...NOTHING, image, 'true']);
    const tags = 'storage/docker/registry/v2/repositories/team/stripped/_manifests/tags';
    rmSync(join(registry.directory, tags, tagOf(digest)), { recursive: true });
    // Asking alone changes nothing.
    const asked = await actor.run(['image', 'verify', '--refresh-signatures', image]);
    expect(asked.code).toBe(1);
    expect((await actor.run(['image', 'verify', image])).code).toBe(0);
    expectUntrusted(await actor.run(['start', '--refresh-signatures', id]), 1, 'none was found');
    expectUntrusted(await actor.run(['start', id]), 1, 'none was found');
    expectNoVm(id);
    expect(await inspect(id, '{{.State.ExitCode}} {{.Trust.verdict}}')).toBe('125 refused');
    expect(await inspect(id, '{{.State.Error}}')).toContain('no signature by cosign.pub');
    expect(await actor.ok(['ps', '--all', '--format', '{{.Trust}}'])).toBe('refused');
    await actor.ok(['rm', id]);
  });

  it('starts no box from an image that was loaded under the name of a signing team', async () => {
    const image = repository('loaded:1');
    await actor.ok(['load', '--quiet', '--input', archiveOf('loaded:1')]);
    await actor.ok(['tag', 'test/loaded:1', image]);
    expectUntrusted(await run(image, 'true'), 125, 'none was found');
    expectNoVm();
  });
});

describe('the policy', () => {
  let image: string;
  let id: string;
  beforeAll(async () => {
    image = repository('policy:1');
    sign('policy:1', publish('policy:1'));
    id = await actor.ok(['create', '--quiet', ...NOTHING, image, 'true']);
  });
  afterAll(async () => {
    installPolicy(policy());
    await actor.ok(['rm', id]);
  });

  it('reads the image policy again at every start', async () => {
    installPolicy('images: [{ pattern: "**", deny: "closed today" }]\n');
    const refused = await actor.run(['start', id]);
    expectRefusal(refused, 1, 'image-untrusted');
    expect(refused.stderr).toContain('closed today');
    expectNoVm(id);
  });

  it('starts no box while the image policy is malformed', async () => {
    installPolicy('images: [{ pattern: "**", allowUnsinged: true }]\n');
    expectRefusal(await actor.run(['start', id]), 1, 'policy-invalid');
    expectRefusal(await run('test/loaded:1', 'true'), 125, 'policy-invalid');
    expectRefusal(await actor.run(['image', 'verify', image]), 2, 'policy-invalid');
    expectNoVm(id);
    installPolicy(policy());
  });

  it('replaces the standing image policy for one call', async () => {
    const strict = join(actor.directory, 'strict.yaml');
    writeFileSync(strict, 'images: [{ pattern: "**", deny: true }]\n', { mode: 0o644 });
    const flag = ['--image-policy', strict];
    const refused = await actor.run(['run', '--rm', ...flag, ...NOTHING, image, 'true']);
    expectRefusal(refused, 125, 'image-untrusted');
    expect((await actor.run(['image', 'verify', ...flag, image])).code).toBe(1);
    expect((await actor.run(['image', 'verify', image])).code).toBe(0);
    expectNoVm(id);
    const lax = join(actor.directory, 'lax.yaml');
    writeFileSync(lax, 'images: [{ pattern: "**", allowUnsigned: true }]\n', { mode: 0o644 });
    const unsigned = repository('loaded:1');
    const allowed = await actor.run([
      ...['run', '--rm', '--image-policy', lax, ...NOTHING, unsigned, 'echo', 'allowed'],
    ]);
    expect(allowed).toMatchObject({ code: 0, stdout: 'allowed\n' });
  });

  it('explains an image rule by rule and signature by signature', async () => {
    const text = await actor.ok(['trust', 'explain', image]);
    expect(text).toContain(`✓ rule 1 (${registry.host}/team/**): matches`);
    expect(text).toContain('signed by key cosign.pub');
    expect(text).toContain('rule 2 (**): not looked at');
    const other = await actor.ok(['trust', 'explain', repository('loaded:1')]);
    expect(other).toContain('found:    nothing of the kind');
    expect(other).toContain('Refused: ');
  });
});

it('decides without the registry unless fresh signatures are requested', async () => {
  const image = repository('offline:1');
  sign('offline:1', publish('offline:1'));
  await actor.ok(['pull', '--quiet', image]);
  await withoutRegistry(async () => {
    expectRefusal(
      await actor.run(['run', '--rm', '--refresh-signatures', ...NOTHING, image, 'true']),
      125,
      'registry-unreachable',
    );
    expectNoVm();
    expect(await run(image, 'echo', 'offline')).toMatchObject({ code: 0, stdout: 'offline\n' });
  });
});

/** The registry's place is empty for a while. */
async function withoutRegistry(act: () => Promise<void>): Promise<void> {
  await registry.stop();
  await act();
}

/** Where cosign puts the signatures of an image. */
function tagOf(digest: string): string {
  return `${digest.replace(':', '-')}.sig`;
}

/** An index of one manifest, at a tag. @returns its digest */
async function putIndex(name: string, tag: string, digest: string): Promise<string> {
  const base = `${registry.url}/v2/team/${name}/manifests`;
  const accept =
    'application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json';
  const manifest = await fetch(`${base}/${digest}`, { headers: { accept } });
  const platform = { os: 'linux', architecture: process.arch === 'x64' ? 'amd64' : process.arch };
  const mediaType = 'application/vnd.oci.image.index.v1+json';
  const size = (await manifest.arrayBuffer()).byteLength;
  const listed = { mediaType: manifest.headers.get('content-type'), digest, size, platform };
  const put = await fetch(`${base}/${tag}`, {
    method: 'PUT',
    headers: { 'content-type': mediaType },
    body: JSON.stringify({ schemaVersion: 2, mediaType, manifests: [listed] }),
  });
  expect(put.status).toBe(201);
  return put.headers.get('docker-content-digest') ?? '';
}
