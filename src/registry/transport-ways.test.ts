import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { bodyOf, GET, ok, TransportBench, USER, withPassword } from './testing/transport-bench.ts';

const bench = new TransportBench();
afterEach(() => bench.endTest());
afterAll(() => bench.remove());

describe('a mirror', () => {
  it('gets no credentials, and what it cannot give the registry does', async () => {
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

  it('that is not there is left alone for a while', async () => {
    const origin = await bench.plain(ok);
    const mirror = await bench.plain((_, response) => void response.destroy());
    const registries = { [origin.host]: { mirrors: [mirror.url] } };
    const transport = bench.to(origin.host, { registries });
    for (let count = 0; count < 3; count += 1) expect(await bodyOf(transport)).toBe('ok');
    expect(mirror.requests).toHaveLength(1);
  });

  it('whose answer breaks off is not asked for the rest', async () => {
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

describe('a proxy', () => {
  /** Lets everything through to one port of this machine, whatever the host was. */
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

  it('is a tunnel for https, with the certificate of the registry verified', async () => {
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

  it('that refuses is named without its password', async () => {
    const proxy = await startProxy(1);
    const sent = bench.to('refused.test', { proxies: { HTTPS_PROXY: proxy.url } }).send(GET);
    await expect(sent).rejects.toMatchObject({
      code: 'registry-unreachable',
      message: expect.stringMatching(/407/),
    });
    await expect(sent).rejects.not.toThrow(/pw/);
  });

  it('is asked itself for http', async () => {
    const proxy = await startProxy(1);
    const registries = { 'plain.test': { insecure: true } };
    const proxies = { HTTP_PROXY: proxy.url, HTTPS_PROXY: 'http://127.0.0.1:1' };
    expect(await bodyOf(bench.to('plain.test', { registries, proxies }))).toBe('from the proxy');
    expect(proxy.seen.at(-1)).toMatch(
      /^GET http:\/\/plain\.test\/v2\/team\/app\/manifests\/1 Basic /,
    );
  });
});
