import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createTransport } from './create-transport.ts';
import { readProxies } from './hosts/proxies.ts';
import { Network } from './network.ts';
import type { Credentials } from './registry.ts';
import { type Answer, type FaultServer, startFaultServer } from './testing/fault-server.ts';
import {
  type CertificateFiles,
  type TestAuthority,
  testAuthority,
} from './testing/test-authority.ts';
import type { RegistryRequest, Transport } from './transport.ts';
import type { TransportLimits } from './transport-limits.ts';

const USER: Credentials = { username: 'ci', password: 's3cret' };
const BASIC = `Basic ${Buffer.from('ci:s3cret').toString('base64')}`;
const LIMITS = { attempts: 3, backoffMs: 1, connectMs: 200, headersMs: 200, stallMs: 200 };
const PULL = ['repository:team/app:pull'];
const GET: RegistryRequest = {
  method: 'GET',
  target: 'team/app/manifests/1',
  scopes: PULL,
  expected: [200],
};

let directory: string;
let authority: TestAuthority;
let server: CertificateFiles;
const cleanups: (() => unknown)[] = [];

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'a3s-transport-'));
  authority = testAuthority(directory);
  server = authority.server('server');
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function plain(answer: Answer): Promise<FaultServer> {
  const started = await startFaultServer(answer);
  cleanups.push(() => started.stop());
  return started;
}

async function tls(answer: Answer): Promise<FaultServer> {
  const started = await startFaultServer(answer, { files: server, authority });
  cleanups.push(() => started.stop());
  return started;
}

interface Settings {
  readonly credentials?: Credentials | undefined;
  readonly limits?: Partial<TransportLimits>;
  readonly registries?: object;
  readonly certs?: string;
  readonly proxies?: Record<string, string>;
}

function to(domain: string, settings: Settings = {}): Transport {
  const file = join(directory, `registries-${cleanups.length}.yaml`);
  writeFileSync(file, JSON.stringify({ registries: settings.registries ?? {} }));
  const network = new Network({
    certsDirectories: settings.certs === undefined ? [] : [settings.certs],
    registriesFiles: [file],
    limits: { ...LIMITS, ...settings.limits },
    proxies: readProxies(settings.proxies ?? {}),
  });
  cleanups.push(() => network.close());
  return createTransport({ network, domain, credentials: settings.credentials });
}

/** A certs.d with the authority for these hosts, and a client certificate for the first one. */
function certsFor(first: string, ...others: string[]): string {
  const root = mkdtempSync(join(directory, 'certs-'));
  for (const host of [first, ...others]) {
    mkdirSync(join(root, host));
    copyFileSync(authority.caFile, join(root, host, 'ca.crt'));
  }
  const client = authority.client('client');
  copyFileSync(client.cert, join(root, first, 'client.cert'));
  copyFileSync(client.key, join(root, first, 'client.key'));
  return root;
}

async function bodyOf(transport: Transport, request = GET): Promise<string> {
  return await text((await transport.send(request)).body);
}

const redirectTo =
  (location: string, status = 307): Answer =>
  (_, response) => {
    response.writeHead(status, { location }).end();
  };

const ok: Answer = (_, response) => {
  response.end('ok');
};

/** Asks for a password first. */
const withPassword =
  (answer: Answer): Answer =>
  (request, response) => {
    if (request.headers.authorization === BASIC) return answer(request, response);
    response.writeHead(401, { 'www-authenticate': 'Basic realm="r"' }).end();
  };

describe('authentication', () => {
  it('is tried once in a request, and no more', async () => {
    const { host, requests } = await plain((_, response) => {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="r"' }).end();
    });
    const sent = to(host, { credentials: USER }).send(GET);
    await expect(sent).rejects.toMatchObject({ code: 'registry-unauthorized' });
    expect(requests.filter(({ path }) => path !== '/v2/')).toHaveLength(2);
  });

  it('is repeated in mid-session when a token has been taken back', async () => {
    let tokens = 0;
    let valid = '';
    const registry: FaultServer = await plain((request, response) => {
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
    const transport = to(registry.host, { credentials: USER });
    expect(await bodyOf(transport)).toBe('ok');
    valid = 'taken back';
    // All of them meet the end of the same token.
    const all = await Promise.all(Array.from({ length: 5 }, () => bodyOf(transport)));
    expect(all).toEqual(Array(5).fill('ok'));
    expect(tokens).toBe(2);
    const asked = registry.requests.find(({ path }) => path.startsWith('/token'));
    expect(new URL(asked?.path ?? '', registry.url).searchParams.getAll('scope')).toEqual(PULL);
    expect(asked?.headers.authorization).toBe(BASIC);
  });

  it('asks for what the registry says is lacking, and is denied when that does not help', async () => {
    const registry = await plain((request, response) => {
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
    await expect(to(registry.host, { credentials: USER }).send(GET)).rejects.toMatchObject({
      code: 'registry-denied',
      remedy: expect.stringContaining('another user'),
    });
    const asked = registry.requests.find(({ path }) => path.startsWith('/token'));
    expect(new URL(asked?.path ?? '', registry.url).searchParams.getAll('scope')).toEqual([
      'repository:team/app:pull,push',
    ]);
  });

  it('sends no password to a token server that redirects', async () => {
    const other = await plain(ok);
    const registry = await plain((request, response) => {
      if (request.url?.startsWith('/token') === true) redirectTo(other.url)(request, response);
      else {
        const realm = `http://${request.headers.host}/token`;
        response.writeHead(401, { 'www-authenticate': `Bearer realm="${realm}"` }).end();
      }
    });
    await expect(to(registry.host, { credentials: USER }).send(GET)).rejects.toMatchObject({
      code: 'registry-failed',
      message: expect.stringContaining('redirects'),
    });
    expect(other.requests).toHaveLength(0);
  });

  it('uses a bearer token that it was given as it is', async () => {
    const { host, requests } = await plain(ok);
    await bodyOf(to(host, { credentials: { registryToken: 'given' } }));
    expect(requests.at(-1)?.headers.authorization).toBe('Bearer given');
  });

  it('does not repeat secrets that a registry writes into its refusal', async () => {
    const { host } = await plain(
      withPassword((request, response) => {
        const said = `you sent s3cret and ${request.headers.authorization}`;
        response
          .writeHead(403)
          .end(JSON.stringify({ errors: [{ code: 'DENIED', message: said }] }));
      }),
    );
    await expect(to(host, { credentials: USER }).send(GET)).rejects.toMatchObject({
      code: 'registry-denied',
      message: expect.stringContaining('(it says: DENIED: you sent *** and Basic ***)'),
    });
  });
});

describe('a redirect', () => {
  it('to another host carries neither credentials nor certificates', async () => {
    const other = await tls(ok);
    const registry = await tls(withPassword(redirectTo(`${other.url}/blob?signature=x`)));
    const certs = certsFor(registry.host);
    const transport = to(registry.host, { credentials: USER, certs });
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

  it('to another host is not answered there with credentials either', async () => {
    const other = await plain(withPassword(ok));
    const registry = await plain(withPassword(redirectTo(other.url)));
    await expect(to(registry.host, { credentials: USER }).send(GET)).rejects.toMatchObject({
      code: 'registry-unauthorized',
    });
    expect(other.requests.map(({ headers }) => headers.authorization)).toEqual([undefined]);
  });

  it('on the same host keeps them', async () => {
    const registry = await plain(
      withPassword((request, response) => {
        if (request.url === '/there') response.end('ok');
        else redirectTo('/there', 302)(request, response);
      }),
    );
    expect(await bodyOf(to(registry.host, { credentials: USER }))).toBe('ok');
  });

  it('from https to http is refused', async () => {
    const other = await plain(ok);
    const registry = await tls(redirectTo(other.url));
    const certs = certsFor(registry.host);
    await expect(to(registry.host, { certs }).send(GET)).rejects.toMatchObject({
      code: 'registry-failed',
      message: expect.stringContaining('redirects from https to http://'),
    });
    const location = { ...GET, target: new URL(`${other.url}/upload`) };
    await expect(to(registry.host, { certs }).send(location)).rejects.toMatchObject({
      code: 'registry-failed',
    });
    expect(other.requests).toHaveLength(0);
  });

  it('in a circle is left', async () => {
    const { host, requests } = await plain((request, response) => {
      if (request.url === '/v2/') response.end();
      else redirectTo(request.url ?? '/')(request, response);
    });
    await expect(to(host).send(GET)).rejects.toThrow('it redirects more than 10 times');
    expect(requests).toHaveLength(12);
  });

  for (const location of ['ftp://x.example/', 'http://u:p@x.example/', 'http://', undefined]) {
    it(`to ${location} is refused`, async () => {
      const { host } = await plain((request, response) => {
        if (request.url === '/v2/') response.end();
        else response.writeHead(302, location === undefined ? {} : { location }).end();
      });
      await expect(to(host).send(GET)).rejects.toMatchObject({ code: 'registry-failed' });
    });
  }

  it('of an upload sends the body again with 307, and is refused with 302', async () => {
    let body = '';
    const registry = await plain((request, response) => {
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
    await to(registry.host).send(put('307'));
    expect(body).toBe('PUT content');
    expect(opened).toBe(2);
    await expect(to(registry.host).send(put('302'))).rejects.toThrow('make a GET of it');
  });
});

describe('a registry that is slow or broken', () => {
  const hang: Answer = () => undefined;
  const afterPing =
    (answer: Answer): Answer =>
    (request, response) => {
      if (request.url === '/v2/') response.end();
      else answer(request, response);
    };

  it('is given up when it never answers', async () => {
    const { host } = await plain(afterPing(hang));
    await expect(to(host, { limits: { attempts: 1 } }).send(GET)).rejects.toMatchObject({
      code: 'registry-unreachable',
      message: expect.stringContaining('it took too long to answer'),
    });
  });

  it('is given up when it sends its head byte by byte', async () => {
    const { host } = await plain(
      afterPing((_, { socket }) => {
        socket?.write('HTTP/1.1 200 OK\r\nX-Drip: ');
        const timer = setInterval(() => socket?.write('x'), 20);
        socket?.once('close', () => clearInterval(timer)).on('error', () => undefined);
      }),
    );
    await expect(to(host, { limits: { attempts: 1 } }).send(GET)).rejects.toMatchObject({
      code: 'registry-unreachable',
      message: expect.stringContaining('it took too long to answer'),
    });
  });

  it('is given up when its head is too long', async () => {
    const { host } = await plain(
      afterPing((_, { socket }) => {
        socket?.on('error', () => undefined);
        socket?.write(`HTTP/1.1 200 OK\r\nX-Long: ${'x'.repeat(100_000)}\r\n\r\n`);
      }),
    );
    await expect(to(host, { limits: { attempts: 1 } }).send(GET)).rejects.toMatchObject({
      message: expect.stringContaining('the head of its answer is too long'),
    });
  });

  it('fails the body that stalls, and the one that is cut', async () => {
    const { host } = await plain(
      afterPing((request, response) => {
        response.writeHead(200, { 'content-length': 10 }).write('five.');
        if (request.url?.endsWith('cut') === true) setTimeout(() => response.destroy(), 20);
      }),
    );
    for (const [name, reason] of [
      ['stall', 'its answer stalled'],
      ['cut', 'the connection was cut'],
    ]) {
      const sent = bodyOf(to(host), { ...GET, target: `team/app/manifests/${name}` });
      await expect(sent).rejects.toMatchObject({
        code: 'registry-unreachable',
        message: expect.stringContaining(reason ?? ''),
      });
    }
  });

  it('is asked again after 429', async () => {
    let count = 0;
    const { host } = await plain(
      afterPing((_, response) => {
        count += 1;
        if (count === 1) response.writeHead(429, { 'retry-after': '1' }).end();
        else response.end('ok');
      }),
    );
    expect(await bodyOf(to(host))).toBe('ok');
    expect(count).toBe(2);
  });

  it('is a rate limit when it asks for more than we wait, or for ever', async () => {
    for (const [after, count] of [
      ['3600', 1],
      ['0', 3],
    ] as const) {
      const { host, requests } = await plain(
        afterPing((_, response) => {
          response
            .writeHead(429, { 'retry-after': after })
            .end('{"errors":[{"code":"TOOMANYREQUESTS"}]}');
        }),
      );
      await expect(to(host).send(GET)).rejects.toMatchObject({
        code: 'registry-rate-limited',
        message: expect.stringContaining('TOOMANYREQUESTS'),
        remedy: expect.stringContaining(`Try again in ${after} s`),
      });
      expect(requests.filter(({ path }) => path !== '/v2/')).toHaveLength(count);
    }
  });

  it('is quoted in part when it has a lot to say', async () => {
    const { host } = await plain(
      afterPing((_, response) => {
        response.writeHead(400);
        response.write(`{"errors":[{"code":"X","message":"${'long '.repeat(2000)}"}]}`);
        const timer = setInterval(() => response.write(' '.repeat(100_000)), 1);
        response.once('close', () => clearInterval(timer)).on('error', () => undefined);
      }),
    );
    const failure = await to(host)
      .send(GET)
      .catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'registry-failed' });
    expect(String(failure).length).toBeLessThan(600);
  });

  it('is an error with a code for every status', async () => {
    const { host } = await plain(
      afterPing((request, response) => {
        response.writeHead(Number(request.url?.slice(-3))).end();
      }),
    );
    for (const [status, code] of [
      [401, 'registry-unauthorized'],
      [403, 'registry-denied'],
      [404, 'not-in-registry'],
      [418, 'registry-failed'],
      [500, 'registry-failed'],
    ] as const) {
      const target = `team/app/manifests/${status}`;
      await expect(to(host).send({ ...GET, target })).rejects.toMatchObject({ code });
    }
  });

  it('is left at once when the caller wants that', async () => {
    const { host } = await plain(afterPing(hang));
    const stop = new AbortController();
    const limits = { headersMs: 60_000, connectMs: 60_000 };
    const sent = to(host, { limits }).send({ ...GET, signal: stop.signal });
    setTimeout(() => stop.abort(new Error('stopped by the user')), 50);
    await expect(sent).rejects.toThrow('stopped by the user');
  });

  it('is left at once in the middle of a body, too', async () => {
    const { host } = await plain(afterPing((_, response) => void response.write('some')));
    const stop = new AbortController();
    const limits = { stallMs: 60_000 };
    const { body } = await to(host, { limits }).send({ ...GET, signal: stop.signal });
    setTimeout(() => stop.abort(new Error('stopped by the user')), 50);
    await expect(text(body)).rejects.toThrow('stopped by the user');
  });

  it('is unreachable when nothing is there', async () => {
    const gone = await startFaultServer(ok);
    await gone.stop();
    await expect(to(gone.host).send(GET)).rejects.toMatchObject({
      code: 'registry-unreachable',
      message: `Cannot reach ${gone.host}: nothing listens there (connection refused)`,
    });
  });
});

describe('a mirror', () => {
  it('gets no credentials, and what it cannot give the registry does', async () => {
    const origin = await plain(withPassword(ok));
    for (const answer of [
      withPassword(ok),
      (_: IncomingMessage, response: ServerResponse) => void response.writeHead(404).end(),
      (_: IncomingMessage, response: ServerResponse) => void response.writeHead(503).end(),
      (_: IncomingMessage, response: ServerResponse) => void response.destroy(),
    ]) {
      const mirror = await plain(answer);
      const registries = { [origin.host]: { mirrors: [mirror.url] } };
      expect(await bodyOf(to(origin.host, { credentials: USER, registries }))).toBe('ok');
      expect(mirror.requests.length).toBe(1);
      expect(mirror.requests[0]?.headers).not.toHaveProperty('authorization');
    }
  });

  it('that is not there is left alone for a while', async () => {
    const origin = await plain(ok);
    const mirror = await plain((_, response) => void response.destroy());
    const registries = { [origin.host]: { mirrors: [mirror.url] } };
    const transport = to(origin.host, { registries });
    for (let count = 0; count < 3; count += 1) expect(await bodyOf(transport)).toBe('ok');
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
    cleanups.push(
      () =>
        new Promise((resolve) => {
          proxy.close(resolve);
          proxy.closeAllConnections();
        }),
    );
    return { seen, url: `http://me:pw@127.0.0.1:${(proxy.address() as AddressInfo).port}` };
  }

  it('is a tunnel for https, with the certificate of the registry verified', async () => {
    const registry = await tls(ok);
    const proxy = await startProxy(Number(registry.host.split(':')[1]));
    const certs = certsFor('registry.test:5000', 'other.test');
    const proxies = { HTTPS_PROXY: proxy.url };
    expect(await bodyOf(to('registry.test:5000', { certs, proxies }))).toBe('ok');
    expect(proxy.seen).toEqual([
      `CONNECT registry.test:5000 Basic ${Buffer.from('me:pw').toString('base64')}`,
    ]);
    expect(registry.requests.at(-1)).toMatchObject({ certificate: true });
    await expect(to('other.test', { certs, proxies }).send(GET)).rejects.toMatchObject({
      code: 'registry-unreachable',
      message: expect.stringContaining('its certificate is for another name'),
    });
  });

  it('that refuses is named without its password', async () => {
    const proxy = await startProxy(1);
    const sent = to('refused.test', { proxies: { HTTPS_PROXY: proxy.url } }).send(GET);
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
    expect(await bodyOf(to('plain.test', { registries, proxies }))).toBe('from the proxy');
    expect(proxy.seen.at(-1)).toMatch(
      /^GET http:\/\/plain\.test\/v2\/team\/app\/manifests\/1 Basic /,
    );
  });
});
