import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { MirrorError } from '../../errors.ts';
import { digestOf } from '../../oci/digest.ts';
import { openRepository } from '../repository.ts';
import type { Answer } from '../testing/fault-server.ts';
import { bodyOf, GET, ok, TransportBench, USER, withPassword } from '../testing/transport-bench.ts';

const bench = new TransportBench();
afterEach(() => bench.endTest());
afterAll(() => bench.remove());

describe('a mirror', () => {
  it('sends no credentials to a mirror, and asks the registry for what the mirror lacks', async () => {
    const origin = await bench.plain(withPassword(ok));
    for (const answer of [
      withPassword(ok),
      (_: IncomingMessage, response: ServerResponse) => void response.writeHead(404).end(),
      (_: IncomingMessage, response: ServerResponse) => void response.writeHead(503).end(),
      (_: IncomingMessage, response: ServerResponse) => void response.destroy(),
    ]) {
      const mirror = await bench.plain(answer);
      const registries = { [origin.host]: { mirrors: [mirror.url] } };
      expect(await bodyOf(bench.to(origin.host, { credentials: USER, registries }))).toBe('ok');
      expect(mirror.requests.length).toBe(1);
      expect(mirror.requests[0]?.headers).not.toHaveProperty('authorization');
    }
  });

  it('does not ask an unreachable mirror again for a while', async () => {
    const origin = await bench.plain(ok);
    const mirror = await bench.plain((_, response) => void response.destroy());
    const registries = { [origin.host]: { mirrors: [mirror.url] } };
    const transport = bench.to(origin.host, { registries });
    for (let count = 0; count < 3; count += 1) expect(await bodyOf(transport)).toBe('ok');
    expect(mirror.requests).toHaveLength(1);
  });

  it('requests the rest from the registry when the answer of a mirror breaks off', async () => {
    const origin = await bench.plain(ok);
    const mirror = await bench.plain((_, response) => {
      response.writeHead(200, { 'content-length': 10 }).write('five.');
      response.destroy();
    });
    const registries = { [origin.host]: { mirrors: [mirror.url] } };
    const transport = bench.to(origin.host, { registries, limits: { attempts: 1 } });
    const first = await bodyOf(transport).catch((error: unknown) => error);
    if (first !== 'ok') expect(first).toMatchObject({ code: 'registry-unreachable' });
    expect(await bodyOf(transport)).toBe('ok');
    expect(mirror.requests).toHaveLength(1);
  });
});

describe('a mirror with wrong content', () => {
  const serve =
    (bytes: Buffer, headers: Record<string, string> = {}) =>
    (_: IncomingMessage, response: ServerResponse) =>
      void response.writeHead(200, headers).end(bytes);
  const open = async (mirrored: Answer, original: Answer) => {
    const origin = await bench.plain(original);
    const mirror = await bench.plain(mirrored);
    const registries = { [origin.host]: { mirrors: [mirror.url] } };
    const transport = bench.to(origin.host, { registries });
    const name = `${origin.host}/team/app`;
    return { mirror, repository: openRepository(transport, name, { access: 'pull' }) };
  };

  it.each([
    ['another manifest', '{"schemaVersion":2,"layers":[],"other":true}'],
    ['a page', '<html>log in to this network</html>'],
  ])('asks the registry when a mirror sends %s', async (_, wrong) => {
    const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, layers: [] }));
    const headers = { 'content-type': 'application/vnd.oci.image.manifest.v1+json' };
    const { mirror, repository } = await open(
      serve(Buffer.from(wrong), headers),
      serve(bytes, headers),
    );
    const digest = digestOf(bytes);
    expect(await repository.manifest(digest)).toMatchObject({ digest, bytes });
    expect(await repository.manifest('tag')).toMatchObject({ digest });
    expect(mirror.requests).toHaveLength(1);
  });

  it.each([
    ['of the same length', 'right by length only'],
    ['of another length', 'short'],
  ])(
    'reports a mirror that sends a wrong blob %s, and does not ask it the next time',
    async (_, wrong) => {
      const bytes = Buffer.from('this is the content.');
      const { mirror, repository } = await open(serve(Buffer.from(wrong)), serve(bytes));
      const descriptor = { digest: digestOf(bytes), size: bytes.length };
      const read = async () => (await buffer(repository.blob(descriptor))).toString();
      await expect(read()).rejects.toBeInstanceOf(MirrorError);
      expect(await read()).toBe(bytes.toString());
      expect(mirror.requests).toHaveLength(1);
    },
  );

  it('refuses content that is wrong at both the mirror and the registry', async () => {
    const wrong = serve(Buffer.from('wrong'), { 'content-type': 'application/json' });
    const { repository } = await open(wrong, wrong);
    await expect(repository.manifest(digestOf(Buffer.from('right')))).rejects.toMatchObject({
      code: 'registry-failed',
    });
  });
});

describe('a registry that cannot be reached', () => {
  const missing: Answer = (_, response) => void response.writeHead(404).end('{}');
  const BESIDE = { ...GET, expected: [200, 404], mirrorMayDeny: true };

  it('uses the content of a mirror, and where permitted its absence, for an unreachable registry', async () => {
    const origin = await bench.plain((_, response) => void response.destroy());
    const mirror = await bench.plain((request, response) =>
      request.url?.endsWith('/1') === true ? ok(request, response) : missing(request, response),
    );
    const registries = { [origin.host]: { mirrors: [mirror.url] } };
    const transport = bench.to(origin.host, { registries, limits: { attempts: 1 } });
    expect(await bodyOf(transport)).toBe('ok');
    expect(origin.requests).toHaveLength(0);
    const lacking = { ...BESIDE, target: 'team/app/manifests/2' };
    const answer = await transport.send(lacking);
    expect([answer.status, answer.headers]).toEqual([404, {}]);
    const asked = origin.requests.length;
    expect(asked).toBeGreaterThan(0);
    expect((await transport.send(lacking)).status).toBe(404);
    // The transport does not ask the unreachable registry again.
    expect(origin.requests).toHaveLength(asked);
    await expect(transport.send({ ...lacking, mirrorMayDeny: false })).rejects.toMatchObject({
      code: 'registry-unreachable',
    });
  });

  it('does not accept an absence from a mirror when it fails or the registry answers', async () => {
    const gone = await bench.plain((_, response) => void response.destroy());
    const broken = await bench.plain((_, response) => void response.writeHead(500).end());
    const failing = { [gone.host]: { mirrors: [broken.url] } };
    const first = bench.to(gone.host, { registries: failing, limits: { attempts: 1 } });
    await expect(first.send(BESIDE)).rejects.toMatchObject({ code: 'registry-unreachable' });
    const mirror = await bench.plain(missing);
    for (const [answer, result] of [
      [ok, { status: 200 }],
      [(_, response) => void response.writeHead(403).end(), { code: 'registry-denied' }],
    ] as const satisfies readonly (readonly [Answer, object])[]) {
      const origin = await bench.plain(answer);
      const transport = bench.to(origin.host, {
        registries: { [origin.host]: { mirrors: [mirror.url] } },
      });
      const sent = transport.send(BESIDE).catch((error: unknown) => error);
      expect(await sent).toMatchObject(result);
    }
  });
});

describe('a proxy', () => {
  /** A proxy that connects every host to one port of this host. */
  async function startProxy(port: number) {
    const seen: string[] = [];
    const proxy = createServer((request, response) => {
      seen.push(`${request.method} ${request.url} ${request.headers['proxy-authorization']}`);
      response.end('from the proxy');
    });
    proxy.on('connect', (request, socket) => {
      seen.push(`CONNECT ${request.url} ${request.headers['proxy-authorization']}`);
      if (request.url?.startsWith('refused') === true) {
        socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
        return;
      }
      const upstream = connect(port, '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        upstream.pipe(socket).pipe(upstream);
      });
      for (const end of [socket, upstream]) end.on('error', () => end.destroy());
      socket.on('close', () => upstream.destroy());
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    bench.onEnd(
      () =>
        new Promise((resolve) => {
          proxy.close(resolve);
          proxy.closeAllConnections();
        }),
    );
    return { seen, url: `http://me:pw@127.0.0.1:${(proxy.address() as AddressInfo).port}` };
  }

  it('tunnels https through a proxy, and verifies the certificate of the registry', async () => {
    const registry = await bench.tls(ok);
    const proxy = await startProxy(Number(registry.host.split(':')[1]));
    const certs = bench.certsFor('registry.test:5000', 'other.test');
    const proxies = { HTTPS_PROXY: proxy.url };
    expect(await bodyOf(bench.to('registry.test:5000', { certs, proxies }))).toBe('ok');
    expect(proxy.seen).toEqual([
      `CONNECT registry.test:5000 Basic ${Buffer.from('me:pw').toString('base64')}`,
    ]);
    expect(registry.requests.at(-1)).toMatchObject({ certificate: true });
    await expect(bench.to('other.test', { certs, proxies }).send(GET)).rejects.toMatchObject({
      code: 'registry-unreachable',
      message: expect.stringContaining('its certificate is for another name'),
    });
  });

  it('names a proxy that refuses a connection, without its password', async () => {
    const proxy = await startProxy(1);
    const sent = bench.to('refused.test', { proxies: { HTTPS_PROXY: proxy.url } }).send(GET);
    await expect(sent).rejects.toMatchObject({
      code: 'registry-unreachable',
      message: expect.stringMatching(/407/),
    });
    await expect(sent).rejects.not.toThrow(/pw/);
  });

  it('sends plain http as a request to the proxy', async () => {
    const proxy = await startProxy(1);
    const registries = { 'plain.test': { insecure: true } };
    const proxies = { HTTP_PROXY: proxy.url, HTTPS_PROXY: 'http://127.0.0.1:1' };
    expect(await bodyOf(bench.to('plain.test', { registries, proxies }))).toBe('from the proxy');
    expect(proxy.seen.at(-1)).toMatch(
      /^GET http:\/\/plain\.test\/v2\/team\/app\/manifests\/1 Basic /,
    );
  });
});
