import { afterEach, describe, expect, it } from 'vitest';
import { digestOf } from '../../oci/digest.ts';
import { openRepository } from '../repository.ts';
import { type Answer, type FaultRegistry, startFaultRegistry } from '../testing/fault-registry.ts';
import { type PlainTransport, plainTransport } from '../testing/plain-transport.ts';

const INDEX = 'application/vnd.oci.image.index.v1+json';
const OCI = 'application/vnd.oci.image.manifest.v1+json';
const SIGNATURE = 'application/vnd.dev.cosign.artifact.sig.v1+json';
const SUBJECT = digestOf(Buffer.from('subject'));
const TAG = SUBJECT.replace(':', '-');

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

const entry = (content: string, more: object = {}) => ({
  mediaType: OCI,
  digest: digestOf(Buffer.from(content)),
  size: content.length,
  ...more,
});
const index = (manifests: unknown) =>
  JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests });
const paths = () => registry?.requests.map(({ method, url }) => `${method} ${url}`);

/** A registry that stores manifests and has no referrers API. */
function plainRegistry(manifests: Map<string, Buffer>): Answer {
  return async (request, response) => {
    const name = request.url.split('/manifests/')[1];
    if (name === undefined) {
      response.writeHead(404).end('404 page not found');
    } else if (request.method === 'PUT') {
      const bytes = await request.body();
      manifests.set(name, bytes);
      response.writeHead(201, { 'docker-content-digest': digestOf(bytes) }).end();
    } else {
      const bytes = manifests.get(name);
      response.writeHead(bytes === undefined ? 404 : 200).end(bytes);
    }
  };
}

describe('referrers', () => {
  it('reads referrers from the API, with their types and annotations', async () => {
    const one = entry('a', { artifactType: SIGNATURE, annotations: { k: 'v' } });
    const repo = await repository((_, response) => {
      response.writeHead(200, { 'content-type': INDEX }).end(index([one, entry('b'), one]));
    });
    expect(await repo.referrers(SUBJECT)).toEqual([
      one,
      { ...entry('b'), artifactType: undefined, annotations: {} },
    ]);
    expect(paths()).toEqual([`GET /v2/team/app/referrers/${SUBJECT}`]);
  });

  it('requests referrers of one type, and filters them where the registry does not', async () => {
    const repo = await repository((_, response) => {
      const one = entry('a', { artifactType: SIGNATURE });
      response.writeHead(200, { 'content-type': INDEX }).end(index([one, entry('b')]));
    });
    expect(await repo.referrers(SUBJECT, SIGNATURE)).toMatchObject([entry('a')]);
    expect(registry?.requests[0]?.url).toContain(`?artifactType=${encodeURIComponent(SIGNATURE)}`);
  });

  it('reads referrers in pages', async () => {
    const repo = await repository((_, response, page) => {
      const link = page < 2 ? { link: `</v2/team/app/referrers/x?n=${page}>; rel="next"` } : {};
      response.writeHead(200, { 'content-type': INDEX, ...link }).end(index([entry(String(page))]));
    });
    expect(await repo.referrers(SUBJECT)).toHaveLength(3);
    expect(registry?.requests[2]?.url).toBe('/v2/team/app/referrers/x?n=1');
  });

  it('refuses an endless list of referrers', async () => {
    const forever = await repository((_, response, page) => {
      response
        .writeHead(200, { 'content-type': INDEX, link: '<?again>; rel=next' })
        .end(index([entry(String(page))]));
    });
    await expect(forever.referrers(SUBJECT)).rejects.toMatchObject({ code: 'too-large' });
    expect(registry?.requests).toHaveLength(32);
    await transport?.close();
    await registry?.stop();
    const many = await repository((_, response, page) => {
      const entries = Array.from({ length: 1000 }, (_, count) => entry(`${page} ${count}`));
      response
        .writeHead(200, { 'content-type': INDEX, link: '<?again>; rel=next' })
        .end(index(entries));
    });
    await expect(many.referrers(SUBJECT)).rejects.toMatchObject({ code: 'too-large' });
  });

  it.each([
    ['at another host', '<http://elsewhere.example/v2/>; rel="next"'],
    ['at no address', '<http://[>; rel="next"'],
    ['in a header that is malformed', 'next'],
  ])('refuses a list of referrers that continues %s', async (_, link) => {
    const repo = await repository((_, response) => {
      response.writeHead(200, { 'content-type': INDEX, link }).end(index([]));
    });
    await expect(repo.referrers(SUBJECT)).rejects.toMatchObject({ code: 'registry-failed' });
  });

  it.each([
    ['a path', [{ ...entry('a'), digest: 'sha256:../../x' }]],
    ['a negative size', [{ ...entry('a'), size: -1 }]],
    ['no list', {}],
    ['annotations that are no strings', [{ ...entry('a'), annotations: { a: 1 } }]],
  ])('refuses a list of referrers with %s', async (_, manifests) => {
    const repo = await repository((_, response) => {
      response.writeHead(200, { 'content-type': INDEX }).end(index(manifests));
    });
    await expect(repo.referrers(SUBJECT)).rejects.toMatchObject({
      code: 'registry-failed',
      message: expect.stringContaining('it is no list of referrers (manifests'),
    });
  });

  it.each([
    ['404', 404, 'text/plain'],
    ['405', 405, 'text/plain'],
    ['an HTML page', 200, 'text/html'],
  ])('reads referrers from their tag when the API answers with %s', async (_, status, type) => {
    const repo = await repository((request, response) => {
      if (request.url.includes('/referrers/')) {
        response.writeHead(status, { 'content-type': type }).end('<html>');
      } else response.writeHead(200, { 'content-type': INDEX }).end(index([entry('a')]));
    });
    expect(await repo.referrers(SUBJECT)).toMatchObject([entry('a')]);
    expect(paths()?.[1]).toBe(`GET /v2/team/app/manifests/${TAG}`);
  });

  it('finds no referrers in a registry with neither API nor tag', async () => {
    const repo = await repository(plainRegistry(new Map()));
    expect(await repo.referrers(SUBJECT)).toEqual([]);
  });

  it('refuses a referrers tag that is no index', async () => {
    const image = JSON.stringify({ schemaVersion: 2, mediaType: OCI, config: {}, layers: [] });
    const repo = await repository(plainRegistry(new Map([[TAG, Buffer.from(image)]])));
    await expect(repo.referrers(SUBJECT)).rejects.toMatchObject({
      code: 'registry-failed',
      message: expect.stringContaining('is no list of referrers'),
    });
  });
});

describe('a pushed manifest with a subject', () => {
  const manifest = (name: string, more: object = {}): Buffer =>
    Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: OCI,
        config: { mediaType: 'application/vnd.example.config' },
        layers: [],
        subject: { mediaType: OCI, digest: SUBJECT, size: 7 },
        annotations: { name },
        ...more,
      }),
    );
  const put = async (repo: Awaited<ReturnType<typeof repository>>, bytes: Buffer) =>
    await repo.putManifest(digestOf(bytes), OCI, bytes);

  it('leaves the referrers tag unchanged where the registry lists the subject itself', async () => {
    const repo = await repository((_, response) => {
      response.writeHead(201, { 'oci-subject': SUBJECT }).end();
    });
    await put(repo, manifest('a'));
    expect(registry?.requests).toHaveLength(1);
  });

  it('refuses a registry that lists a pushed manifest under another subject', async () => {
    const other = digestOf(Buffer.from('other'));
    const repo = await repository((_, response) => {
      response.writeHead(201, { 'oci-subject': other }).end();
    });
    await expect(put(repo, manifest('a'))).rejects.toMatchObject({
      code: 'registry-failed',
      message: expect.stringContaining(`at "${other}", not at ${SUBJECT}`),
    });
  });

  it('adds a pushed manifest to the referrers tag once, and keeps the other entries', async () => {
    const kept = { ...entry('kept'), 'x-other': 1 };
    const manifests = new Map([[TAG, Buffer.from(index([kept]))]]);
    const repo = await repository(plainRegistry(manifests));
    const typed = manifest('typed', { artifactType: SIGNATURE });
    await put(repo, manifest('a'));
    await put(repo, typed);
    await put(repo, typed);
    expect(JSON.parse(String(manifests.get(TAG)))).toEqual({
      schemaVersion: 2,
      mediaType: INDEX,
      manifests: [
        kept,
        {
          mediaType: OCI,
          digest: digestOf(manifest('a')),
          size: manifest('a').length,
          artifactType: 'application/vnd.example.config',
          annotations: { name: 'a' },
        },
        {
          mediaType: OCI,
          digest: digestOf(typed),
          size: typed.length,
          artifactType: SIGNATURE,
          annotations: { name: 'typed' },
        },
      ],
    });
  });

  it('keeps the referrers that concurrent pushes add', async () => {
    const repo = await repository(plainRegistry(new Map()));
    await Promise.all(Array.from({ length: 8 }, (_, count) => put(repo, manifest(String(count)))));
    expect(await repo.referrers(SUBJECT)).toHaveLength(8);
  });

  it('adds a pushed manifest again where another client replaced the list of referrers', async () => {
    const manifests = new Map<string, Buffer>();
    let puts = 0;
    const repo = await repository(async (request, response, count) => {
      await plainRegistry(manifests)(request, response, count);
      if (request.method !== 'PUT' || !request.url.endsWith(TAG)) return;
      puts += 1;
      if (puts === 1) manifests.set(TAG, Buffer.from(index([entry('theirs')])));
    });
    await put(repo, manifest('a'));
    expect(await repo.referrers(SUBJECT)).toMatchObject([
      entry('theirs'),
      { digest: digestOf(manifest('a')) },
    ]);
  });

  it('gives up when another client always replaces the list of referrers', async () => {
    const manifests = new Map<string, Buffer>();
    const repo = await repository(async (request, response, count) => {
      await plainRegistry(manifests)(request, response, count);
      manifests.delete(TAG);
    });
    await expect(put(repo, manifest('a'))).rejects.toMatchObject({ code: 'conflict' });
  });
});
