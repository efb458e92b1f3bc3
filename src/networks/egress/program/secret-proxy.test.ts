import { once } from 'node:events';
import { createServer as createHttps, type Server as HttpsServer } from 'node:https';
import { type AddressInfo, connect, createServer, type Server, Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { LeafCertificates } from '../../../tls-proxy/leaf-certificates.ts';
import { makeAuthority } from '../../../tls-proxy/make-authority.ts';
import { type KeptSecrets, makeSecrets } from '../secrets.ts';
import type { Refused } from './refusals.ts';
import { type HostConnection, SecretProxy } from './secret-proxy.ts';

const HOST = 'api.example';
const VALUE = 'The-Value-of-the-secret';
const NOW = Date.now();
const trusted = makeAuthority({ subject: 'a public authority', now: NOW });
const other = makeAuthority({ subject: 'another authority', now: NOW });

type Serve = Parameters<typeof createHttps>[1];

const servers: (Server | HttpsServer)[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) {
    if ('closeAllConnections' in server) server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

async function listen(server: Server | HttpsServer): Promise<number> {
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

describe('the proxy for hosts that get egress secrets', () => {
  let kept: KeptSecrets;
  let placeholder: string;
  beforeAll(() => {
    const asked = { name: 'TOKEN', host: HOST, header: 'authorization', value: VALUE };
    kept = makeSecrets([asked], NOW);
    placeholder = kept.secrets[0]?.placeholder ?? '';
  });

  /** @param serve what the host does */
  async function world(
    serve: Serve,
    { authority = trusted, host = HOST, open, ...more }: Partial<World> = {},
  ) {
    const context = new LeafCertificates(authority, 'a host').contextFor(host);
    const target = await listen(
      createHttps({ SNICallback: (_, done) => done(null, context) }, serve),
    );
    const refused: Refused[] = [];
    const failures: string[] = [];
    const proxy = new SecretProxy({
      ...{ ...kept, roots: [trusted.certificate], ...more },
      refuse: (each) => refused.push(each),
      fail: (what, error) => failures.push(`${what}: ${String(error)}`),
    });
    const reach: HostConnection['open'] =
      open ??
      (async () => {
        const socket = connect(target, '127.0.0.1');
        await once(socket, 'connect');
        return socket;
      });
    const port = await listen(
      createServer((client) => proxy.serve(client, { name: HOST, open: reach })),
    );
    return { port, refused, failures, proxy };
  }

  function dial(port: number, options: object = {}): TLSSocket {
    return connectTls({
      ...{ port, host: '127.0.0.1', servername: HOST, ca: kept.authority.certificate },
      ...options,
    });
  }

  /** All that comes for a request that is written as it is. */
  async function ask(port: number, request: string): Promise<string> {
    const client = dial(port);
    client.write(request);
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of client) chunks.push(chunk as Buffer);
    } catch (error) {
      return (error as NodeJS.ErrnoException).code ?? String(error);
    }
    return Buffer.concat(chunks).toString();
  }

  const get = (headers: string, path = '/', method = 'GET'): string =>
    `${method} ${path} HTTP/1.1\r\nHost: ${HOST}\r\nConnection: close\r\n${headers}\r\n`;
  const auth = (): string => `Authorization: Bearer ${placeholder}\r\n`;
  const quiet: Serve = (request, response) => {
    request.resume().on('end', () => response.end('done'));
  };

  it('puts the value into its header, and nowhere else', async () => {
    const seen: unknown[] = [];
    const { port } = await world((request, response) => {
      let body = '';
      request.on('data', (data) => {
        body += data;
      });
      request.on('end', () => {
        const { headers, url, method } = request;
        seen.push({ headers, url, method, body });
        response.end('done');
      });
    });
    const more = `X-Other: ${placeholder}\r\nContent-Length: ${placeholder.length}\r\n`;
    const asked = `${get(auth() + more, `/${placeholder}`, 'POST')}${placeholder}`;
    expect(await ask(port, asked)).toMatch(/^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\n(4\r\n)?done/);
    expect(seen).toEqual([
      {
        headers: {
          ...{ host: HOST, authorization: `Bearer ${VALUE}`, 'x-other': placeholder },
          'content-length': String(placeholder.length),
          ...{ 'accept-encoding': 'identity', connection: 'close' },
        },
        ...{ url: `/${placeholder}`, method: 'POST', body: placeholder },
      },
    ]);
  });

  it('asks for the whole of an answer, of which a part of the value could be asked for', async () => {
    const { port } = await world((request, response) => {
      const { range, authorization } = request.headers;
      const parts = request.rawHeaders.filter((text) => /range/i.test(text));
      const whole = request.url === '/repeat' ? `you sent ${authorization}` : parts.join();
      response.end(range === undefined ? whole : whole.slice(0, -1));
    });
    const part = `Range: bytes=0-30\r\nrequest-range: bytes=0-30\r\nIF-RANGE: "one"\r\n`;
    expect(await ask(port, get(auth() + part))).toMatch(
      /^HTTP\/1\.1 200 [\s\S]*\r\n\r\n(0\r\n\r\n)?$/,
    );
    expect(await ask(port, get(auth() + part, '/repeat'))).not.toContain(VALUE.slice(0, -1));
  });

  it('offers HTTP/1.1 by ALPN, for the one host that its certificate names', async () => {
    const { port } = await world(quiet);
    const client = dial(port, { ALPNProtocols: ['h2', 'http/1.1'] });
    await once(client, 'secureConnect');
    expect(client.alpnProtocol).toBe('http/1.1');
    expect(client.getPeerCertificate().subjectaltname).toBe(`DNS:${HOST}`);
    client.destroy();
  });

  it('answers several requests of a connection, one after the other', async () => {
    const { port } = await world(quiet);
    const client = dial(port);
    let text = '';
    client.on('data', (data) => {
      text += String(data);
    });
    for (const answers of [1, 2, 3]) {
      client.write(`GET / HTTP/1.1\r\nHost: ${HOST}:443\r\n${auth()}\r\n`);
      await expect.poll(() => text.match(/200 OK[\s\S]*?done/g)?.length).toBe(answers);
    }
    client.destroy();
  });

  const hidden = `GET /hidden HTTP/1.1\r\nHost: b.example\r\n\r\n`;
  it.each([
    [
      'in chunks',
      'Transfer-Encoding: chunked\r\n',
      `${hidden.length.toString(16)}\r\n${hidden}\r\n0\r\n\r\n`,
    ],
    [
      'whose length its connection names',
      `Content-Length: ${hidden.length}\r\nConnection: content-length\r\n`,
      hidden,
    ],
  ])('sends a body %s, of any method, so that it is no other request', async (_, head, body) => {
    const seen: string[] = [];
    const { port } = await world((request, response) => {
      let text = '';
      request.on('data', (data) => {
        text += data;
      });
      request.on('end', () => {
        seen.push(`${request.method} ${request.url} ${text}`);
        response.end();
      });
    });
    await ask(port, get(head, '/shown') + body);
    expect(seen).toEqual([`GET /shown ${hidden}`]);
  });

  it('passes an answer on as it comes', async () => {
    const { port } = await world((_, response) => {
      response.write('data: first\n\n');
    });
    const client = dial(port);
    client.write(get(auth()));
    let text = '';
    for await (const data of client) {
      text += String(data);
      if (text.includes('data: first\n\n')) break;
    }
    expect(text).toContain('data: first');
  });

  it.each([
    ['another host', (): string => get('').replace(HOST, 'b.example')],
    ['two hosts', (): string => get('host: b.example\r\n')],
    ['a whole URL', (): string => get('', `https://${HOST}/`)],
    [
      'a body in two codings',
      (): string => `${get('Transfer-Encoding: gzip, Chunked\r\n', '/', 'POST')}0\r\n\r\n`,
    ],
    ['the method TRACE', (): string => get(auth(), '/', 'TRACE')],
  ])('sends no request on that has %s', async (_, request) => {
    let calls = 0;
    const { port } = await world((_request, response) => {
      calls += 1;
      response.end();
    });
    expect(await ask(port, request())).toMatch(/^HTTP\/1\.1 400 /);
    expect(calls).toBe(0);
  });

  it.each(['not HTTP\r\n\r\n', 'CONNECT b.example:443 HTTP/1.1\r\nHost: b.example\r\n\r\n'])(
    'ends a connection that sends %j',
    async (bytes) => {
      const { port } = await world(quiet);
      expect(await ask(port, bytes)).toMatch(/^(ECONNRESET|)$/);
    },
  );

  it.each([
    ['of an authority that is not trusted', { authority: other }],
    ['of another host', { host: 'b.example' }],
  ])('sends nothing to a server with a certificate %s', async (_, options) => {
    let calls = 0;
    const { port, failures } = await world((_request, response) => {
      calls += 1;
      response.end();
    }, options);
    const answer = await ask(port, get(auth()));
    expect(answer).toMatch(/^HTTP\/1\.1 502 [\s\S]*no verified connection/);
    expect(calls).toBe(0);
    expect(failures).toHaveLength(1);
    expect(failures.join() + answer).not.toContain(VALUE);
  });

  it('says when no address of the host can be reached', async () => {
    const { port } = await world(quiet, { open: async () => undefined });
    expect(await ask(port, get(auth()))).toMatch(/^HTTP\/1\.1 502 [\s\S]*no address/);
  });

  it.each<[string, Serve]>([
    [
      'header',
      (request, response) =>
        response.writeHead(200, { echo: request.headers.authorization ?? '' }).end(),
    ],
    [
      'names of headers',
      (request, response) => {
        const value = request.headers.authorization?.slice('Bearer '.length) ?? '';
        response.writeHead(200, { [`X-${value}`]: '1' }).end();
      },
    ],
    ['status', (request, response) => response.writeHead(200, request.headers.authorization).end()],
    ['body', (request, response) => void response.end(JSON.stringify(request.headers))],
  ])('passes on no answer that repeats the value in its %s', async (_, serve) => {
    const { port, refused } = await world(serve);
    expect((await ask(port, get(auth()))).toLowerCase()).not.toContain(VALUE.toLowerCase());
    expect(refused).toEqual([
      {
        ...{ target: `${HOST}:443/tcp`, policy: 0 },
        why: 'its answer repeats the egress secret TOKEN',
      },
    ]);
  });

  it('ends the request to the host when the box ends its connection', async () => {
    let closed = false;
    let client: TLSSocket | undefined;
    const { port } = await world((request) => {
      request.socket.on('close', () => {
        closed = true;
      });
      client?.destroy();
    });
    client = dial(port);
    client.on('error', () => undefined);
    client.write(get(auth()));
    await expect.poll(() => closed).toBe(true);
  });

  it('asks a silent box and a silent host whether they are there', async () => {
    const asked = new Set<number | undefined>();
    const keepAlive = vi.spyOn(Socket.prototype, 'setKeepAlive').mockImplementation(function (
      this: Socket,
      isOn,
    ) {
      if (isOn === true) asked.add(this.localPort);
      return this;
    });
    try {
      let toHost: number | undefined;
      const { port } = await world((request, response) => {
        toHost = request.socket.remotePort;
        quiet(request, response);
      });
      expect(await ask(port, get(auth()))).toContain('done');
      expect(asked).toEqual(new Set([port, toHost]));
    } finally {
      keepAlive.mockRestore();
    }
  });

  it('ends a client that says nothing, with or without TLS', async () => {
    const { port } = await world(quiet, { headMs: 20 });
    expect(await ask(port, '')).toMatch(/^(ECONNRESET|)$/);
    const plain = connect(port, '127.0.0.1');
    await once(plain.on('error', () => undefined).resume(), 'close');
  });

  it('takes 128 connections at a time', async () => {
    const { proxy, refused } = await world(quiet);
    let served = 0;
    const port = await listen(
      createServer((client) => {
        client.on('error', () => undefined);
        proxy.serve(client, { name: HOST, open: async () => undefined });
        served += 1;
      }),
    );
    const clients = Array.from({ length: 129 }, () =>
      connect(port, '127.0.0.1').on('error', () => undefined),
    );
    await expect.poll(() => served, { timeout: 100_000 }).toBe(129);
    expect(refused).toHaveLength(1);
    for (const client of clients) client.destroy();
  });
});

interface World {
  readonly authority: typeof trusted;
  readonly host: string;
  readonly open: HostConnection['open'];
  readonly headMs: number;
}
