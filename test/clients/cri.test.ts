import { type ChildProcess, execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DESCRIPTOR } from '../../src/cri/api/descriptor.ts';
import {
  type StartedRegistry,
  startRegistry,
  TEST_USER,
} from '../../src/registry/testing/start-registry.ts';
import { ACTORS, Actor } from '../e2e/actor.ts';
import { type Installation, install } from '../e2e/installation.ts';
import { buildImage, dockerArchive } from '../images/build-image.ts';

const execute = promisify(execFile);

/** Debian's Go packages, as sources in a place of their own. */
const GO_ENV = {
  GO111MODULE: 'off',
  GOPATH: '/usr/share/gocode',
  GOFLAGS: '',
  GOPROXY: 'off',
  GOTOOLCHAIN: 'local',
  CGO_ENABLED: '0',
};

/** Compiling gRPC takes half a minute where nothing of it is in Go's cache. */
const COMPILE_MS = 600_000;

const AUTH = { username: TEST_USER.username, password: TEST_USER.password };

interface Answer {
  readonly replies?: readonly Record<string, unknown>[];
  readonly code?: string;
  readonly message?: string;
}

let installation: Installation;
let registry: StartedRegistry;
let actor: Actor;
let server: ChildProcess;
let socket: string;

beforeAll(async () => {
  installation = await install();
  registry = await startRegistry({ htpasswd: true });
  actor = new Actor(ACTORS[0] ?? 'ordinary user', installation);
  await execute('go', ['build', '-o', join(registry.directory, 'cri'), './cri'], {
    cwd: import.meta.dirname,
    env: { ...process.env, ...GO_ENV },
  });
  writeFileSync(join(registry.directory, 'cri.binpb'), Buffer.from(DESCRIPTOR, 'base64'));
  await publish('app:1');
  await publish('unsigned:1');
  const policy = `images:
  - { pattern: "${registry.host}/team/unsigned", deny: "closed today" }
  - { pattern: "**", allowUnsigned: true }
`;
  writeFileSync(join(actor.home, 'image-policy.yaml'), policy, { mode: 0o600 });
  actor.own(join(actor.home, 'image-policy.yaml'));
  socket = join(actor.directory, 'cri.sock');
  server = await serve();
}, COMPILE_MS);
afterAll(async () => {
  if (server !== undefined) await end(server, 'SIGTERM');
  await actor?.leave();
  await registry?.stop();
  installation?.remove();
});

const place = (name: string): string => `${registry.host}/team/${name}`;
const named = (image: string) => ({ image: { image } });

async function publish(name: string): Promise<void> {
  const archive = join(registry.directory, `${name.replace(':', '-')}.tar`);
  const layers = [[{ path: 'file', data: Buffer.from(name) }]];
  writeFileSync(archive, dockerArchive([buildImage({ name, layers, config: { User: '1000' } })]));
  await execute('skopeo', [
    ...['copy', '--quiet', '--dest-tls-verify=false'],
    ...['--dest-creds', `${AUTH.username}:${AUTH.password}`],
    ...[`docker-archive:${archive}`, `docker://${place(name)}`],
  ]);
}

/** A server, once it serves. Kubelet's flags name its socket by a URL. */
async function serve(): Promise<ChildProcess> {
  const started = actor.start(['serve', '--cri', `unix://${socket}`], { A3S_TEMPLATES: 'off' });
  await new Promise<void>((resolve, reject) => {
    let said = '';
    started.stderr?.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      if (said.includes('serving on')) resolve();
    });
    started.once('exit', () => reject(new Error(said)));
  });
  return started;
}

async function end(started: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  const ended = new Promise((resolve) => started.once('exit', resolve));
  started.kill(signal);
  await ended;
}

/** Calls over one connection, one after another. */
async function calls(...requests: readonly [string, object][]): Promise<Answer[]> {
  const client = join(registry.directory, 'cri');
  const ran = execute(client, [socket, join(registry.directory, 'cri.binpb')]);
  ran.child.stdin?.end(
    requests.map(([method, request]) => `${JSON.stringify({ method, request })}\n`).join(''),
  );
  const { stdout } = await ran;
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Answer);
}

describe('a client with the library that kubelet has', () => {
  it('CRI tells its version, and which fields of a pod are missing', async () => {
    const [version, status, pod, checkpoint] = await calls(
      ['RuntimeService/Version', {}],
      ['RuntimeService/Status', {}],
      ['RuntimeService/RunPodSandbox', {}],
      ['RuntimeService/CheckpointContainer', {}],
    );
    expect(version?.replies).toMatchObject([{ version: '0.1.0', runtimeName: 'a3s-box' }]);
    expect(status?.replies?.[0]?.['status']).toMatchObject({
      conditions: [{ type: 'RuntimeReady' }, { type: 'NetworkReady' }],
    });
    expect(pod).toMatchObject({ code: 'InvalidArgument' });
    expect(checkpoint).toMatchObject({ code: 'Unimplemented' });
  });

  it('CRI pulls with credentials, shows and removes an image of a real registry', async () => {
    const image = place('app:1');
    const [refused, pulled, status, listed, streamed, usage] = await calls(
      ['ImageService/PullImage', named(image)],
      ['ImageService/PullImage', { ...named(image), auth: AUTH }],
      ['ImageService/ImageStatus', named(image)],
      ['ImageService/ListImages', {}],
      ['ImageService/StreamImages', {}],
      ['ImageService/ImageFsInfo', {}],
    );
    expect(refused).toMatchObject({ code: 'Unauthenticated' });
    const id = pulled?.replies?.[0]?.['imageRef'];
    expect(id).toMatch(/^sha256:[0-9a-f]{64}$/);
    const shown = { id, repoTags: [image], uid: { value: '1000' } };
    expect(status?.replies).toMatchObject([{ image: shown }]);
    expect(listed?.replies).toMatchObject([{ images: [shown] }]);
    expect(streamed?.replies).toEqual(listed?.replies);
    expect(usage?.replies).toMatchObject([
      { imageFilesystems: [{ fsId: { mountpoint: actor.home } }] },
    ]);
    // Docker's side of the same server.
    expect(await actor.ok(['images', '--format', '{{.Repository}}:{{.Tag}}'])).toBe(image);

    await end(server, 'SIGKILL');
    server = await serve();
    const [kept, removed, again, gone] = await calls(
      ['ImageService/ListImages', {}],
      ['ImageService/RemoveImage', named(String(id))],
      ['ImageService/RemoveImage', named(image)],
      ['ImageService/ImageStatus', named(image)],
    );
    expect(kept?.replies).toEqual(listed?.replies);
    expect([removed, again, gone]).toEqual([
      { replies: [{}] },
      { replies: [{}] },
      { replies: [{}] },
    ]);
  });

  it('CRI refuses an image in the words by which kubelet names the refusal', async () => {
    const image = place('unsigned:1');
    const [pulled, listed] = await calls(
      ['ImageService/PullImage', { ...named(image), auth: AUTH }],
      ['ImageService/ListImages', {}],
    );
    expect(pulled?.code).toBe('Unknown');
    expect(pulled?.message).toMatch(/^SignatureValidationFailed: .*closed today/);
    expect(listed?.replies).toEqual([{}]);
  });
});
