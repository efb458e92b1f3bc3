import { fuzzRuns } from '@a3s-box/test-fuzz';
import { fc, test as fuzz } from '@fast-check/vitest';
import { afterEach, describe, expect, it } from 'vitest';
import { A3sError } from '../../errors.ts';
import { digestOf } from '../../oci/digest.ts';
import { openRepository } from '../repository.ts';
import { type Answer, type FaultRegistry, startFaultRegistry } from '../testing/fault-registry.ts';
import { type PlainTransport, plainTransport } from '../testing/plain-transport.ts';
import { manifestType } from './manifests-type.ts';

const OCI = 'application/vnd.oci.image.manifest.v1+json';
const INDEX = 'application/vnd.oci.image.index.v1+json';
const DOCKER = 'application/vnd.docker.distribution.manifest.v2+json';
const LIST = 'application/vnd.docker.distribution.manifest.list.v2+json';

const document = (value: object): Buffer => Buffer.from(JSON.stringify(value));
const MANIFEST = document({ schemaVersion: 2, mediaType: OCI, config: {}, layers: [] });
const OTHER = digestOf(Buffer.from('other'));

let registry: FaultRegistry | undefined;
let transport: PlainTransport | undefined;
afterEach(async () => {
  await transport?.close();
  await registry?.stop();
});

async function repository(answer: Answer) {
  registry = await startFaultRegistry(answer);
  transport = plainTransport(registry.host);
  return openRepository(transport, `${registry.host}/team/app`, {
    access: 'push',
    retryLimits: { backoffMs: 1 },
  });
}

function served(
  bytes: Buffer = MANIFEST,
  headers: Readonly<Record<string, string>> = { 'content-type': OCI },
): Answer {
  return (_, response) => void response.writeHead(200, headers).end(bytes);
}

const failed = (text: string) =>
  expect.objectContaining({ code: 'registry-failed', message: expect.stringContaining(text) });

describe('a repository', () => {
  it('refuses a repository name with a tag or a digest', () => {
    const open = (name: string) => openRepository(plainTransport('x'), name, { access: 'pull' });
    expect(open('redis').name).toBe('docker.io/library/redis');
    for (const bad of ['r.example/app:1', `r.example/app@${OTHER}`, 'r.example/../app', '']) {
      expect(() => open(bad)).toThrow(expect.objectContaining({ code: 'invalid-reference' }));
    }
  });
});

describe('a manifest', () => {
  it('requests a manifest in every usable type, and computes its digest', async () => {
    const repo = await repository(served());
    expect(await repo.manifest('v1')).toEqual({
      digest: digestOf(MANIFEST),
      mediaType: OCI,
      bytes: MANIFEST,
    });
    expect(registry?.requests).toMatchObject([
      {
        url: '/v2/team/app/manifests/v1',
        headers: { accept: [OCI, DOCKER, INDEX, LIST].join(', ') },
      },
    ]);
  });

  it('returns undefined for a missing manifest', async () => {
    const repo = await repository((_, response) => void response.writeHead(404).end('{}'));
    expect(await repo.manifest('v1')).toBeUndefined();
    expect(await repo.describe('v1')).toBeUndefined();
  });

  it.each(['a/b', '../../x', 'a b', '', '.x', 'v1?x=1', 'sha256:123', `v1@${OTHER}`, 'sha512:ab'])(
    'refuses to request a manifest by %j, which is neither tag nor digest',
    async (reference) => {
      const repo = await repository(served());
      await expect(repo.manifest(reference)).rejects.toMatchObject({ code: 'invalid-reference' });
      await expect(repo.describe(reference)).rejects.toMatchObject({ code: 'invalid-reference' });
      expect(registry?.requests).toEqual([]);
    },
  );

  it('refuses a manifest with another digest than the requested one', async () => {
    const repo = await repository(served());
    await expect(repo.manifest(OTHER)).rejects.toEqual(
      failed(`its content has the digest ${digestOf(MANIFEST)}`),
    );
  });

  it.each([
    ['sha256:../../../../etc/cron.d/x'],
    ['sha256:ABCDEF'],
    ['sha512:00'],
    ['../../x'],
    [digestOf(MANIFEST).toUpperCase()],
  ])('refuses a manifest whose registry reports the malformed digest %s', async (digest) => {
    const headers = { 'content-type': OCI, 'docker-content-digest': digest };
    const repo = await repository(served(MANIFEST, headers));
    await expect(repo.manifest('v1')).rejects.toEqual(failed('which is none'));
    await expect(repo.describe('v1')).rejects.toEqual(failed('which is none'));
  });

  it('refuses a manifest whose registry reports another digest', async () => {
    const headers = { 'content-type': OCI, 'docker-content-digest': OTHER };
    const repo = await repository(served(MANIFEST, headers));
    await expect(repo.manifest('v1')).rejects.toEqual(failed(`says its digest is ${OTHER}`));
    await expect(repo.describe(digestOf(MANIFEST))).rejects.toEqual(failed('says its digest is'));
  });

  it('refuses a manifest of more than 4 MiB, with or without its length in the head', async () => {
    const large = Buffer.alloc(4 * 1024 * 1024 + 1, ' ');
    const announced = await repository((_, response) => {
      response.writeHead(200, { 'content-length': String(large.length) }).flushHeaders();
    });
    await expect(announced.manifest('v1')).rejects.toMatchObject({ code: 'too-large' });
    await registry?.idle();
    await transport?.close();
    await registry?.stop();
    const streamed = await repository(async (_, response) => {
      for (;;) {
        if (response.destroyed) return;
        await new Promise((resolve) => response.write(large.subarray(0, 65_536), resolve));
      }
    });
    await expect(streamed.manifest('v1')).rejects.toMatchObject({ code: 'too-large' });
    await registry?.idle();
  });

  it('requests a manifest again that is cut, up to a limit', async () => {
    const repo = await repository((_, response, index) => {
      response.writeHead(200, { 'content-type': OCI, 'content-length': String(MANIFEST.length) });
      if (index === 3) response.end(MANIFEST);
      else response.write('{', () => response.destroy());
    });
    expect(await repo.manifest('v1')).toMatchObject({ bytes: MANIFEST });
    await expect(repo.manifest('v1')).rejects.toEqual(failed('the connection was cut'));
    expect(registry?.requests).toHaveLength(4 + 6);
  });

  it('refuses a compressed manifest', async () => {
    const repo = await repository(
      served(MANIFEST, { 'content-type': OCI, 'content-encoding': 'gzip' }),
    );
    await expect(repo.manifest('v1')).rejects.toEqual(failed('the encoding "gzip"'));
  });
});

describe('the description of a manifest', () => {
  it('describes a manifest by its head alone', async () => {
    const repo = await repository(
      served(MANIFEST, {
        'content-type': OCI,
        'content-length': String(MANIFEST.length),
        'docker-content-digest': digestOf(MANIFEST),
      }),
    );
    const found = { digest: digestOf(MANIFEST), mediaType: OCI, size: MANIFEST.length };
    expect(await repo.describe('v1')).toEqual(found);
    expect(registry?.requests.map(({ method }) => method)).toEqual(['HEAD']);
  });

  it.each([
    ['no digest', { 'content-type': OCI }],
    ['no type', { 'docker-content-digest': digestOf(MANIFEST) }],
  ])('describes a manifest by its content when its head has %s', async (_, headers) => {
    const repo = await repository((request, response) => {
      const length = { 'content-length': String(MANIFEST.length) };
      const said = request.method === 'HEAD' ? headers : { 'content-type': OCI };
      response.writeHead(200, { ...length, ...said }).end(MANIFEST);
    });
    expect(await repo.describe('v1')).toMatchObject({ digest: digestOf(MANIFEST) });
    expect(registry?.requests.map(({ method }) => method)).toEqual(['HEAD', 'GET']);
  });

  it('describes a manifest by its content where the registry has no HEAD', async () => {
    const repo = await repository((request, response, index) =>
      request.method === 'HEAD'
        ? void response.writeHead(405).end()
        : served()(request, response, index),
    );
    expect(await repo.describe('v1')).toMatchObject({ size: MANIFEST.length });
  });
});

describe('the type of a manifest', () => {
  const image = { schemaVersion: 2, config: {}, layers: [] };
  const index = { schemaVersion: 2, manifests: [] };
  const type = (value: object, contentType?: string) =>
    manifestType(document(value), contentType, 'it');

  it('reads the type of a manifest from its header and its content', () => {
    for (const each of [OCI, DOCKER]) {
      expect(type(image, each)).toBe(each);
      expect(type({ ...image, mediaType: each }, `${each}; charset=utf-8`)).toBe(each);
      expect(type({ ...image, mediaType: each })).toBe(each);
      expect(type({ ...image, mediaType: each }, 'application/json')).toBe(each);
    }
    for (const each of [INDEX, LIST]) expect(type(index, each)).toBe(each);
  });

  it.each([
    ['an index sent as an image', index, OCI],
    ['an image sent as an index', image, INDEX],
    ['a document that is both', { ...image, manifests: [] }, OCI],
    ['a document that is both, sent as an index', { ...image, manifests: [] }, INDEX],
    ['a manifest that names the type of an index', { ...image, mediaType: INDEX }, OCI],
    ['a manifest that names the type of another manifest', { ...image, mediaType: DOCKER }, OCI],
    ['a manifest without a type', image, undefined],
    ['a manifest sent as an unknown type', image, 'text/html'],
    ['a manifest that names an unknown type', { ...image, mediaType: 'text/html' }, undefined],
    ['a list', [], OCI],
  ])('refuses the type of a manifest: %s', (_, value, contentType) => {
    expect(() => type(value, contentType)).toThrow(
      expect.objectContaining({ code: 'registry-failed' }),
    );
  });

  it.each([
    [{ schemaVersion: 1 }, 'application/json'],
    [{ schemaVersion: 1 }, OCI],
    [{ schemaVersion: 1 }, undefined],
    [{}, 'application/vnd.docker.distribution.manifest.v1+prettyjws'],
    [{}, 'application/vnd.docker.distribution.manifest.v1+json; charset=utf-8'],
  ])("refuses Docker's schema 1 by name: %j as %s", (value, contentType) => {
    expect(() => type(value, contentType)).toThrow(
      expect.objectContaining({
        code: 'invalid-image',
        message: expect.stringContaining("Docker's schema 1"),
        remedy: expect.stringContaining('Push the image again'),
      }),
    );
  });

  const bytes = fc.oneof(
    fc.uint8Array().map((array) => Buffer.from(array)),
    fc.jsonValue().map((value) => Buffer.from(JSON.stringify(value))),
    fc
      .record(
        {
          schemaVersion: fc.constantFrom(1, 2, '2'),
          mediaType: fc.constantFrom(OCI, INDEX, 7, 'x'),
          config: fc.jsonValue(),
          layers: fc.jsonValue(),
          manifests: fc.jsonValue(),
        },
        { requiredKeys: [] },
      )
      .map(document),
  );
  fuzz.prop([bytes, fc.constantFrom(undefined, OCI, INDEX, 'application/json')], fuzzRuns())(
    'reads the type of any manifest or refuses it',
    (content, contentType) => {
      try {
        expect([OCI, INDEX]).toContain(manifestType(content, contentType, 'it'));
      } catch (error) {
        if (!(error instanceof A3sError)) throw error;
      }
    },
  );
});

describe('a pushed manifest', () => {
  it('pushes a manifest unchanged', async () => {
    let sent: Buffer | undefined;
    const repo = await repository(async (request, response) => {
      sent = await request.body();
      response.writeHead(201, { 'docker-content-digest': digestOf(MANIFEST) }).end();
    });
    expect(await repo.putManifest('v1', OCI, MANIFEST)).toBe(digestOf(MANIFEST));
    expect(sent).toEqual(MANIFEST);
    expect(registry?.requests).toMatchObject([
      { method: 'PUT', url: '/v2/team/app/manifests/v1', headers: { 'content-type': OCI } },
    ]);
  });

  it('reports a manifest that the registry stored under another digest', async () => {
    const repo = await repository((_, response) => {
      response.writeHead(201, { 'docker-content-digest': OTHER }).end();
    });
    await expect(repo.putManifest('v1', OCI, MANIFEST)).rejects.toEqual(
      failed(`the registry says its digest is ${OTHER}`),
    );
  });

  it('refuses to push a manifest whose digest, type, syntax or size is wrong', async () => {
    const repo = await repository((_, response) => void response.writeHead(201).end());
    const large = Buffer.alloc(4 * 1024 * 1024 + 1, ' ');
    const noSubject = document({ schemaVersion: 2, subject: { digest: 'sha256:..' } });
    for (const [reference, type, bytes, code] of [
      [OTHER, OCI, MANIFEST, 'invalid-argument'],
      ['v1', INDEX, MANIFEST, 'registry-failed'],
      ['v1', OCI, Buffer.from('{'), 'invalid-argument'],
      ['v1', OCI, large, 'invalid-argument'],
      ['v1', OCI, noSubject, 'invalid-argument'],
    ] as const) {
      await expect(repo.putManifest(reference, type, bytes)).rejects.toMatchObject({ code });
    }
    expect(registry?.requests).toEqual([]);
  });
});
