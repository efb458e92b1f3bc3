import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type BuiltImage,
  buildImage,
  ociArchive,
  sha256,
} from '../../../images/testing/build-image.ts';
import { writeTar } from '../../../images/testing/tar-writer.ts';
import { type TemporaryStore, temporaryStore } from '../../../images/testing/temporary-store.ts';
import { hostPlatform } from '../../../oci/platform.ts';
import { openRegistry } from '../../../registry/open-registry.ts';
import {
  type StartedRegistry,
  startRegistry,
  TEST_USER,
} from '../../../registry/testing/start-registry.ts';
import { type DockerResult, docker } from '../../testing/docker.ts';
import { TestHome } from '../../testing/home.ts';

const run = promisify(execFile);
const registry = openRegistry({
  certsDirectories: [],
  registriesFiles: [],
  limits: { attempts: 1 },
});

let started: StartedRegistry;
let temporary: TemporaryStore;
let home: TestHome;
let image: BuiltImage;
beforeAll(async () => {
  started = await startRegistry();
  temporary = await temporaryStore();
  home = new TestHome(temporary.store);
  home.registry = registry;
  await home.start();
  image = buildImage({
    name: `${started.host}/team/app:1`,
    layers: [
      [{ path: 'base', data: randomBytes(3_000_000) }],
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
  await registry.close();
  temporary?.remove();
  await started?.stop();
});

const cli = (...args: readonly string[]): Promise<DockerResult> => docker(home.config.socket, args);
const digestAt = async (name: string): Promise<string> => {
  const at = `docker://${started.host}/${name}`;
  const args = ['inspect', '--no-tags', '--format', '{{.Digest}}', '--tls-verify=false', at];
  return (await run('skopeo', args)).stdout.trim();
};

describe('docker push', () => {
  it('docker push uploads an image that skopeo finds, and reports it as to Docker', async () => {
    const { code, stdout, stderr } = await cli('push', `${started.host}/team/app:1`);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain(`The push refers to repository [${started.host}/team/app]`);
    for (const { digest } of image.layers)
      expect(stdout).toContain(`${digest.slice(7, 19)}: Pushed`);
    const { digest, size } = image.manifest;
    expect(stdout).toContain(`1: digest: ${digest} size: ${size}\n`);
    expect(await digestAt('team/app:1')).toBe(digest);
    const listed = await cli('images', '--digests', `${started.host}/team/app`);
    expect(listed.stdout).toContain(digest);
    expect((await cli('push', `${started.host}/team/app:1`)).stdout).toContain(
      'Layer already exists',
    );
    expect(await cli('push', '-q', `${started.host}/team/app:1`)).toMatchObject({
      code: 0,
      stdout: `${started.host}/team/app:1\n`,
    });
  });

  it('docker push --all-tags pushes every tag', async () => {
    await temporary.store.tag(`${started.host}/team/app:1`, `${started.host}/team/all:a`);
    await temporary.store.tag(`${started.host}/team/app:1`, `${started.host}/team/all:b`);
    const { code, stdout } = await cli('push', '--all-tags', `${started.host}/team/all`);
    expect(code).toBe(0);
    expect(stdout).toContain('a: digest: ');
    expect(stdout).toContain('b: digest: ');
    expect(await digestAt('team/all:b')).toBe(image.manifest.digest);
  });

  it('docker push reports a missing image and an unreachable registry', async () => {
    const absent = await cli('push', `${started.host}/team/absent:1`);
    expect(absent.code).toBe(1);
    expect(absent.stderr).toContain('No such image');
    const none = await cli('push', '--all-tags', `${started.host}/team/absent`);
    expect(none.stderr).toContain('no image here has that name');
    await temporary.store.tag(`${started.host}/team/app:1`, '127.0.0.1:1/app:1');
    const unreachable = await cli('push', '127.0.0.1:1/app:1');
    expect(unreachable.code).toBe(1);
    expect(unreachable.stderr).toContain('Cannot reach 127.0.0.1:1');
  });

  it('publishes an event for a push', async () => {
    const until = Math.ceil(Date.now() / 1000) + 1;
    const events = await cli(
      ...['events', '--since', '1', '--until', String(until)],
      ...['--filter', 'event=push', '--format', '{{.Actor.ID}}'],
    );
    expect(events.stdout.split('\n')).toContain(`${started.host}/team/app:1`);
  });
});

describe('docker push to a registry with passwords', () => {
  it('docker push uses the credentials in docker’s configuration', async () => {
    const guarded = await startRegistry({ htpasswd: true });
    const config = mkdtempSync(join(guarded.directory, 'docker-'));
    try {
      const name = `${guarded.host}/team/app:1`;
      await temporary.store.tag(`${started.host}/team/app:1`, name);
      const nobody = await cli('push', name);
      expect(nobody.code).toBe(1);
      expect(nobody.stderr).toContain(`${guarded.host} wants to know who asks`);
      const { username, password } = TEST_USER;
      const auth = Buffer.from(`${username}:${password}`).toString('base64');
      const auths = { [guarded.host]: { auth } };
      writeFileSync(join(config, 'config.json'), JSON.stringify({ auths }));
      const known = await cli('--config', config, 'push', name);
      expect(known).toMatchObject({ code: 0, stderr: '' });
      expect(known.stdout).toContain(`1: digest: ${image.manifest.digest}`);
    } finally {
      await guarded.stop();
    }
  });
});

describe('POST /images/{name}/push and GET /distribution/{name}/json', () => {
  it('answers a push with Docker’s lines, and ends with the digest for programs', async () => {
    const path = `/images/${started.host}/team/app/push?tag=1`;
    const { status, body } = await home.call('POST', path);
    expect(status).toBe(200);
    const lines = String(body).trim().split('\r\n');
    const aux = { Tag: '1', Digest: image.manifest.digest, Size: image.manifest.size };
    expect(JSON.parse(lines.at(-1) ?? '')).toEqual({ progressDetail: {}, aux });
  });

  it('resolves an image name to its descriptor in the registry', async () => {
    const { digest, size, mediaType } = image.manifest;
    const path = `/distribution/${started.host}/team/app:1/json`;
    expect(await home.call('GET', path)).toMatchObject({
      status: 200,
      body: { Descriptor: { digest, size, mediaType }, Platforms: [hostPlatform()] },
    });
    expect(await home.call('GET', `/distribution/${started.host}/team/app:2/json`)).toMatchObject({
      status: 404,
      body: { code: 'not-in-registry' },
    });
  });

  it('refuses to push a digest or an invalid name', async () => {
    const digest = image.manifest.digest;
    for (const path of [
      `/images/${started.host}/team/app@${digest}/push`,
      `/images/${started.host}/TEAM/push?tag=1`,
      `/images/${started.host}/team/app/push?tag=../x`,
    ]) {
      expect((await home.call('POST', path)).status).toBe(400);
    }
  });
});

describe('docker push of a committed image', () => {
  it('uploads it with the layer of the box, for other tools and for a pull', async () => {
    const layer = writeTar([
      { path: './', type: 'directory' },
      { path: 'made', data: randomBytes(100_000) },
    ]);
    home.takeover = (agent, stream) => {
      agent.files.changedLayer = layer;
      agent.serve(stream);
    };
    const [parent, made] = [`${started.host}/team/app:1`, `${started.host}/team/made:1`];
    const box = await home.create(['sleep', 'infinity'], { Image: parent, Env: ['A=1'] });
    expect((await home.call('POST', `/containers/${box}/start`)).status).toBe(204);
    const committed = await cli('commit', '-a', 'me', box, made);
    expect(committed).toMatchObject({ code: 0, stderr: '' });
    const pushed = await cli('push', made);
    expect(pushed).toMatchObject({ code: 0, stderr: '' });
    // Copying checks each blob by its digest, and each layer by its diff ID.
    const copy = `dir:${join(started.directory, 'copied')}`;
    await run('skopeo', ['copy', '-q', '--src-tls-verify=false', `docker://${made}`, copy]);
    const { stdout } = await run('skopeo', ['inspect', '--config', copy]);
    expect(JSON.parse(stdout)).toMatchObject({
      ...{ author: 'me', config: { Cmd: ['sleep', 'infinity'], Env: ['A=1'] } },
      rootfs: { diff_ids: [...image.diffIds, sha256(layer)] },
    });
    expect((await cli('rmi', made)).code).toBe(0);
    expect((await cli('pull', '-q', made)).code).toBe(0);
    const { stdout: id } = await cli('images', '-q', '--no-trunc', made);
    expect(id).toBe(committed.stdout);
  });
});
