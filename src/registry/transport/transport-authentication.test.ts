import { afterAll, afterEach, describe, expect, it } from 'vitest';
import type { FaultServer } from '../testing/fault-server.ts';
import {
  BASIC,
  bodyOf,
  GET,
  ok,
  PULL,
  redirectTo,
  TransportBench,
  USER,
  withPassword,
} from '../testing/transport-bench.ts';

const bench = new TransportBench();
afterEach(() => bench.endTest());
afterAll(() => bench.remove());

describe('authentication', () => {
  it('authenticates only once in a request', async () => {
    const { host, requests } = await bench.plain((_, response) => {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="r"' }).end();
    });
    const sent = bench.to(host, { credentials: USER }).send(GET);
    await expect(sent).rejects.toMatchObject({ code: 'registry-unauthorized' });
    expect(requests.filter(({ path }) => path !== '/v2/')).toHaveLength(2);
  });

  it('authenticates again when a token has been revoked', async () => {
    let tokens = 0;
    let valid = '';
    const registry: FaultServer = await bench.plain((request, response) => {
      if (request.url?.startsWith('/token') === true) {
        tokens += 1;
        valid = `t${tokens}`;
        response.end(JSON.stringify({ token: valid, expires_in: 3600 }));
      } else if (request.headers.authorization === `Bearer ${valid}`) response.end('ok');
      else {
        const realm = `http://${request.headers.host}/token`;
        response
          .writeHead(401, { 'www-authenticate': `Bearer realm="${realm}",service="r"` })
          .end();
      }
    });
    const transport = bench.to(registry.host, { credentials: USER });
    expect(await bodyOf(transport)).toBe('ok');
    valid = 'taken back';
    // All five requests are refused with the same revoked token.
    const all = await Promise.all(Array.from({ length: 5 }, () => bodyOf(transport)));
    expect(all).toEqual(Array(5).fill('ok'));
    expect(tokens).toBe(2);
    const asked = registry.requests.find(({ path }) => path.startsWith('/token'));
    expect(new URL(asked?.path ?? '', registry.url).searchParams.getAll('scope')).toEqual(PULL);
    expect(asked?.headers.authorization).toBe(BASIC);
  });

  it('requests the scope that the registry demands, and fails when that does not help', async () => {
    const registry = await bench.plain((request, response) => {
      if (request.url?.startsWith('/token') === true) {
        response.end(JSON.stringify({ token: 'small', expires_in: 3600 }));
        return;
      }
      const realm = `http://${request.headers.host}/token`;
      const scope = 'repository:team/app:pull,push';
      response
        .writeHead(401, {
          'www-authenticate': `Bearer realm="${realm}",service="r",scope="${scope}",error="insufficient_scope"`,
        })
        .end();
    });
    await expect(bench.to(registry.host, { credentials: USER }).send(GET)).rejects.toMatchObject({
      code: 'registry-denied',
      remedy: expect.stringContaining('another user'),
    });
    const asked = registry.requests.find(({ path }) => path.startsWith('/token'));
    expect(new URL(asked?.path ?? '', registry.url).searchParams.getAll('scope')).toEqual([
      'repository:team/app:pull,push',
    ]);
  });

  it('sends no password to a token server that redirects', async () => {
    const other = await bench.plain(ok);
    const registry = await bench.plain((request, response) => {
      if (request.url?.startsWith('/token') === true) redirectTo(other.url)(request, response);
      else {
        const realm = `http://${request.headers.host}/token`;
        response.writeHead(401, { 'www-authenticate': `Bearer realm="${realm}"` }).end();
      }
    });
    await expect(bench.to(registry.host, { credentials: USER }).send(GET)).rejects.toMatchObject({
      code: 'registry-failed',
      message: expect.stringContaining('redirects'),
    });
    expect(other.requests).toHaveLength(0);
  });

  it('uses a given bearer token as it is', async () => {
    const { host, requests } = await bench.plain(ok);
    await bodyOf(bench.to(host, { credentials: { registryToken: 'given' } }));
    expect(requests.at(-1)?.headers.authorization).toBe('Bearer given');
  });

  it('refuses a bearer token that would inject another header', async () => {
    const { host } = await bench.plain(ok);
    const credentials = { registryToken: 'a\r\nX-Other: b' };
    await expect(bench.to(host, { credentials }).send(GET)).rejects.toMatchObject({
      code: 'registry-unauthorized',
    });
  });

  it('does not repeat secrets that a registry writes into its refusal', async () => {
    const { host } = await bench.plain(
      withPassword((request, response) => {
        const said = `you sent s3cret and ${request.headers.authorization}`;
        response
          .writeHead(403)
          .end(JSON.stringify({ errors: [{ code: 'DENIED', message: said }] }));
      }),
    );
    await expect(bench.to(host, { credentials: USER }).send(GET)).rejects.toMatchObject({
      code: 'registry-denied',
      message: expect.stringContaining('(it says: DENIED: you sent *** and Basic ***)'),
    });
  });
});
