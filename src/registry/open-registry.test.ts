import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { Digest } from '../oci/digest.ts';
import { OCI_INDEX } from '../oci/media-types.ts';
import { openRegistry } from './open-registry.ts';
import type { Credentials, Registry, Repository } from './registry.ts';
import {
  type StartedRegistry,
  type StartRegistryOptions,
  startRegistry,
  TEST_USER,
} from './testing/start-registry.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function started(options: StartRegistryOptions = {}): Promise<StartedRegistry> {
  const registry = await startRegistry(options);
  cleanups.push(() => registry.stop());
  return registry;
}

function opened(certsDirectories: readonly string[] = [], registriesFiles: readonly string[] = []) {
  const limits = { attempts: 2, backoffMs: 1 };
  const registry = openRegistry({ certsDirectories, registriesFiles, limits });
  cleanups.push(() => registry.close());
  return registry;
}

function repositoryOf(
  registry: Registry,
  name: string,
  credentials?: Credentials,
  access: 'pull' | 'push' = 'push',
): Repository {
  return registry.repository(name, { credentials, access });
}

function blobOf(bytes: Buffer): { digest: Digest; size: number } {
  return {
    digest: `sha256:${createHash('sha256').update(bytes).digest('hex')}`,
    size: bytes.length,
  };
}

/** Pushes a blob and reads it back. */
async function exchangeBlob(writer: Repository, reader = writer): Promise<void> {
  const bytes = randomBytes(100_000);
  const descriptor = blobOf(bytes);
  const open = async function* (offset: number) {
    yield bytes.subarray(offset);
  };
  expect(await writer.putBlob(descriptor, open)).toBe('uploaded');
  const chunks: Uint8Array[] = [];
  for await (const chunk of reader.blob(descriptor)) chunks.push(chunk);
  expect(Buffer.concat(chunks).equals(bytes)).toBe(true);
}

describe('a real registry', () => {
  it('reaches a registry on this host without TLS', async () => {
    const { host } = await started();
    await exchangeBlob(repositoryOf(opened(), `${host}/team/app`));
  });

  it('reaches a registry with TLS by the authority in certs.d', async () => {
    const registry = await started({ tls: true });
    const name = `${registry.host}/team/app`;
    await exchangeBlob(repositoryOf(opened([registry.certsDirectory()]), name));
    await expect(repositoryOf(opened(), name).manifest('1')).rejects.toMatchObject({
      code: 'registry-unreachable',
      message: expect.stringContaining('its certificate is not trusted'),
      remedy: expect.stringContaining(`certs.d/${registry.host}/ca.crt`),
    });
  });

  it('accepts any certificate of a registry that is configured as insecure', async () => {
    const registry = await started({ tls: true });
    const file = join(registry.directory, 'registries.yaml');
    writeFileSync(file, `registries: {"${registry.host}": {insecure: true}}`);
    await exchangeBlob(repositoryOf(opened([], [file]), `${registry.host}/team/app`));
  });

  it('shows the client certificate in certs.d to a registry that asks for one', async () => {
    const registry = await started({ tls: 'client' });
    const certs = registry.certsDirectory();
    await exchangeBlob(repositoryOf(opened([certs]), `${registry.host}/team/app`));
    rmSync(join(certs, registry.host, 'client.cert'));
    rmSync(join(certs, registry.host, 'client.key'));
    const without = repositoryOf(opened([certs]), `${registry.host}/team/app`);
    await expect(without.manifest('1')).rejects.toMatchObject({ code: 'registry-unreachable' });
  });

  it('logs in to a registry with passwords by the right password only', async () => {
    const { host } = await started({ htpasswd: true });
    const registry = opened();
    await exchangeBlob(repositoryOf(registry, `${host}/team/app`, TEST_USER));
    const wrong = { ...TEST_USER, password: 'wr0ng' };
    for (const credentials of [undefined, wrong]) {
      await expect(
        repositoryOf(registry, `${host}/team/app`, credentials).manifest('1'),
      ).rejects.toMatchObject({
        code: 'registry-unauthorized',
        remedy: expect.stringContaining(`a3s-box login ${host}`),
      });
    }
  });

  for (const kind of [{}, { postOnly: true }, { getOnly: true }]) {
    it(`logs in to a registry with tokens, ${JSON.stringify(kind)}`, async () => {
      const started_ = await started({ tls: true, token: kind });
      const registry = opened([started_.certsDirectory()]);
      await exchangeBlob(repositoryOf(registry, `${started_.host}/team/app`, TEST_USER));
    });
  }

  it('pulls public images anonymously from a registry with tokens, and refuses anonymous pushes', async () => {
    const { host, certsDirectory } = await started({ tls: true, token: true });
    const registry = opened([certsDirectory()]);
    const name = `${host}/public/app`;
    await exchangeBlob(
      repositoryOf(registry, name, TEST_USER),
      repositoryOf(registry, name, undefined, 'pull'),
    );
    await expect(
      repositoryOf(registry, name).putBlob(blobOf(Buffer.from('x')), async function* () {}),
    ).rejects.toMatchObject({ code: 'registry-unauthorized' });
  });

  it('returns a refresh token at login, and accepts it in place of the password', async () => {
    const { host, tokens, certsDirectory } = await started({ tls: true, token: true });
    const registry = opened([certsDirectory()]);
    const { identityToken } = await registry.login(host, TEST_USER);
    expect(identityToken).toBe(tokens?.refreshToken);
    await exchangeBlob(repositoryOf(registry, `${host}/team/app`, { identityToken }));
    expect(tokens?.requests.at(-1)).toMatchObject({ method: 'POST', grant: 'refresh_token' });
    tokens?.revoke();
    await expect(
      repositoryOf(registry, `${host}/team/app`, { identityToken }).manifest('1'),
    ).rejects.toMatchObject({ code: 'registry-unauthorized' });
  });

  it('refuses a login with a wrong password, and does not repeat it', async () => {
    for (const kind of [{ htpasswd: true }, { tls: true, token: true }] as const) {
      const { host, certsDirectory } = await started(kind);
      const login = opened([certsDirectory()]).login(host, { username: 'ci', password: 'wr0ng' });
      await expect(login).rejects.toMatchObject({
        code: 'registry-unauthorized',
        remedy: 'Check the user name and the password, and which registry they are for.',
      });
      await expect(login).rejects.not.toThrow(/wr0ng/);
    }
  });

  it('refuses to log in at a domain that is no host', async () => {
    for (const domain of ['', 'a/b', 'user@r.example', '..', 'r.example:x', 'http://r.example']) {
      await expect(opened().login(domain, TEST_USER)).rejects.toMatchObject({
        code: 'invalid-reference',
      });
    }
  });

  it('logs in with a right password to a registry without tokens', async () => {
    const { host } = await started({ htpasswd: true });
    expect(await opened().login(host, TEST_USER)).toEqual({ identityToken: undefined });
  });

  it('fetches one token for many requests, and another when it expires', async () => {
    const { host, tokens, certsDirectory } = await started({ tls: true, token: { expiresIn: 4 } });
    const repository = repositoryOf(opened([certsDirectory()]), `${host}/team/app`, TEST_USER);
    await Promise.all(Array.from({ length: 8 }, () => repository.manifest('1')));
    expect(tokens?.requests).toHaveLength(1);
    await new Promise((resolve) => setTimeout(resolve, 4100));
    expect(await repository.manifest('1')).toBeUndefined();
    expect(tokens?.requests).toHaveLength(2);
  });

  it('pulls through the mirrors of a registry, and asks the registry for content that they lack', async () => {
    const [origin, mirror] = [await started(), await started()];
    const directory = mkdtempSync(join(tmpdir(), 'a3s-mirror-'));
    cleanups.push(() => rmSync(directory, { recursive: true }));
    const file = join(directory, 'registries.yaml');
    const mirrors = ['http://127.0.0.1:1', `${mirror.url}/hub`];
    writeFileSync(file, JSON.stringify({ registries: { [origin.host]: { mirrors } } }));
    const registry = opened([], [file]);
    const bytes = Buffer.from('only the mirror has this');
    const open = async function* () {
      yield bytes;
    };
    await repositoryOf(registry, `${mirror.host}/hub/app`).putBlob(blobOf(bytes), open);
    const puller = repositoryOf(registry, `${origin.host}/app`, undefined, 'pull');
    expect(await puller.hasBlob(blobOf(bytes).digest)).toBe(true);
    // A push asks the registry, not its mirror.
    const pusher = repositoryOf(registry, `${origin.host}/app`);
    expect(await pusher.hasBlob(blobOf(bytes).digest)).toBe(false);
    await exchangeBlob(pusher, puller);
  });

  it('pulls through a mirror while the registry is gone, and accepts that the mirror has no signatures', async () => {
    const mirror = await started();
    const directory = mkdtempSync(join(tmpdir(), 'a3s-mirror-'));
    cleanups.push(() => rmSync(directory, { recursive: true }));
    const file = join(directory, 'registries.yaml');
    const gone = '127.0.0.1:1';
    writeFileSync(file, JSON.stringify({ registries: { [gone]: { mirrors: [mirror.url] } } }));
    const registry = opened([], [file]);
    const bytes = Buffer.from(
      JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [] }),
    );
    const digest = await repositoryOf(registry, `${mirror.host}/app`).putManifest(
      '1',
      OCI_INDEX,
      bytes,
    );
    const options = { credentials: undefined, access: 'pull' } as const;
    const lenient = registry.repository(`${gone}/app`, { ...options, mirrorMayDeny: true });
    expect(await lenient.manifest('1')).toMatchObject({ digest });
    expect(await lenient.manifest(`sha256-${digest.slice(7)}.sig`)).toBeUndefined();
    expect(await lenient.referrers(digest)).toEqual([]);
    const strict = registry.repository(`${gone}/app`, options);
    for (const asked of [
      () => lenient.manifest('2'),
      () => strict.manifest(`sha256-${digest.slice(7)}.sig`),
      () => strict.referrers(digest),
    ]) {
      await expect(asked()).rejects.toMatchObject({ code: 'registry-unreachable' });
    }
  });
});

it('reaches a registry of this host for others only where registries.yaml has it', async () => {
  const server = await started();
  const ask = (registry: Registry) =>
    registry
      .repository(`${server.host}/team/app`, { access: 'pull', namedByOthers: true })
      .manifest('none');
  const directory = mkdtempSync(join(tmpdir(), 'a3s-others-'));
  cleanups.push(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'registries.yaml');
  await expect(ask(opened())).rejects.toMatchObject({
    ...{ code: 'registry-failed', message: expect.stringContaining('of this host') },
  });
  writeFileSync(file, `registries: { "${server.host}": { insecure: true } }\n`);
  expect(await ask(opened([], [file]))).toBeUndefined();
  expect(await repositoryOf(opened(), `${server.host}/team/app`).manifest('none')).toBeUndefined();
});
