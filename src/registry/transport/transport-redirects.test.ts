import { text } from 'node:stream/consumers';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import type { RegistryRequest } from '../http/message.ts';
import {
  bodyOf,
  GET,
  ok,
  redirectTo,
  TransportBench,
  USER,
  withPassword,
} from '../testing/transport-bench.ts';

const bench = new TransportBench();
afterEach(() => bench.endTest());
afterAll(() => bench.remove());

describe('a redirect', () => {
  it('follows a redirect to another host without credentials and certificates', async () => {
    const other = await bench.tls(ok);
    const registry = await bench.tls(withPassword(redirectTo(`${other.url}/blob?signature=x`)));
    const certs = bench.certsFor(registry.host);
    const transport = bench.to(registry.host, { credentials: USER, certs });
    const response = await transport.send({
      ...GET,
      headers: { cookie: 'a=b', range: 'bytes=1-' },
    });
    expect(await text(response.body)).toBe('ok');
    expect(response.url.host).toBe(other.host);
    expect(registry.requests.at(-1)).toMatchObject({ certificate: true });
    expect(other.requests).toHaveLength(1);
    expect(other.requests[0]).toMatchObject({ path: '/blob?signature=x', certificate: false });
    expect(other.requests[0]?.headers).toMatchObject({ range: 'bytes=1-' });
    expect(other.requests[0]?.headers).not.toHaveProperty('authorization');
    expect(other.requests[0]?.headers).not.toHaveProperty('cookie');
  });

  it('does not answer a challenge of the host of a redirect with credentials', async () => {
    const other = await bench.plain(withPassword(ok));
    const registry = await bench.plain(withPassword(redirectTo(other.url)));
    await expect(bench.to(registry.host, { credentials: USER }).send(GET)).rejects.toMatchObject({
      code: 'registry-unauthorized',
    });
    expect(other.requests.map(({ headers }) => headers.authorization)).toEqual([undefined]);
  });

  it('follows a redirect on the same host with credentials', async () => {
    const registry = await bench.plain(
      withPassword((request, response) => {
        if (request.url === '/there') response.end('ok');
        else redirectTo('/there', 302)(request, response);
      }),
    );
    expect(await bodyOf(bench.to(registry.host, { credentials: USER }))).toBe('ok');
  });

  it('refuses a redirect from https to http', async () => {
    const other = await bench.plain(ok);
    const registry = await bench.tls(redirectTo(other.url));
    const certs = bench.certsFor(registry.host);
    await expect(bench.to(registry.host, { certs }).send(GET)).rejects.toMatchObject({
      code: 'registry-failed',
      message: expect.stringContaining('redirects from https to http://'),
    });
    const location = { ...GET, target: new URL(`${other.url}/upload`) };
    await expect(bench.to(registry.host, { certs }).send(location)).rejects.toMatchObject({
      code: 'registry-failed',
    });
    expect(other.requests).toHaveLength(0);
  });

  it('refuses a circular redirect', async () => {
    const { host, requests } = await bench.plain((request, response) => {
      if (request.url === '/v2/') response.end();
      else redirectTo(request.url ?? '/')(request, response);
    });
    await expect(bench.to(host).send(GET)).rejects.toThrow('it redirects more than 10 times');
    expect(requests).toHaveLength(12);
  });

  for (const location of ['ftp://x.example/', 'http://u:p@x.example/', 'http://', undefined]) {
    it(`refuses a redirect to ${location}`, async () => {
      const { host } = await bench.plain((request, response) => {
        if (request.url === '/v2/') response.end();
        else response.writeHead(302, location === undefined ? {} : { location }).end();
      });
      await expect(bench.to(host).send(GET)).rejects.toMatchObject({ code: 'registry-failed' });
    });
  }

  it('follows a redirect of an upload with 307 by sending the body again, and refuses one with 302', async () => {
    let body = '';
    const registry = await bench.plain((request, response) => {
      if (request.url === '/v2/') response.end();
      else if (request.url === '/there') {
        text(request).then((received) => {
          body = `${request.method} ${received}`;
          response.writeHead(201).end();
        }, response.destroy);
      } else
        redirectTo('/there', request.url?.endsWith('302') === true ? 302 : 307)(request, response);
    });
    let opened = 0;
    const put = (name: string): RegistryRequest => ({
      method: 'PUT',
      target: `team/app/manifests/${name}`,
      scopes: ['repository:team/app:pull,push'],
      expected: [201],
      async *body() {
        opened += 1;
        yield Buffer.from('con');
        yield Buffer.from('tent');
      },
    });
    await bench.to(registry.host).send(put('307'));
    expect(body).toBe('PUT content');
    expect(opened).toBe(2);
    await expect(bench.to(registry.host).send(put('302'))).rejects.toThrow('make a GET of it');
  });
});
