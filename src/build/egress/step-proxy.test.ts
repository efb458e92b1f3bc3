import { once } from 'node:events';
import {
  createServer as createHttp,
  type Server as HttpServer,
  type IncomingMessage,
} from 'node:http';
import { connect, createServer, type LookupFunction, type Server, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Proxies } from '../../registry/hosts/proxies.ts';
import { Refusal } from '../proxy/refusal.ts';
import { Dialer } from './dialer.ts';
import { StepProxy } from './step-proxy.ts';

const servers: (Server | HttpServer)[] = [];
const sockets: Socket[] = [];
let addresses: Record<string, readonly string[]>;
let lookedUp: string[];
let logged: string[];
let proxies: Proxies;
let isUsed: boolean;
let times: { headMs?: number; silentMs?: number };
let proxy: StepProxy;
let port: number;
let site: number;
/** What the site was asked: the head, and the body. */
let asked: { readonly request: IncomingMessage; readonly body: string }[];

async function listen(server: Server | HttpServer): Promise<number> {
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return typeof address === 'object' ? (address?.port ?? 0) : 0;
}

const lookup: LookupFunction = (name, _, found) => {
  lookedUp.push(name);
  const known = addresses[name];
  if (known === undefined) found(new Error(`no ${name}`), []);
  else
    found(
      null,
      known.map((address) => ({ address, family: 4 })),
    );
};

beforeEach(async () => {
  addresses = { 'site.test': ['127.0.0.1'] };
  [lookedUp, logged, asked, isUsed, times] = [[], [], [], true, {}];
  proxies = { http: undefined, https: undefined, except: [] };
  site = await listen(
    createHttp(async (request, response) => {
      asked.push({ request, body: await text(request) });
      const cookies = { 'set-cookie': ['a=1', 'b=2'] };
      response.writeHead(201, 'Made', { ...cookies, 'x-hop': '1', connection: 'x-hop' });
      response.end('made');
    }),
  );
});
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const server of servers.splice(0)) server.close();
});

/** Permits the addresses of the loopback, where the servers of this test are, and no other. */
const standing = async () => ({
  rule: ({ host, port }: { readonly host: string; readonly port: number }) => {
    if (host === 'broken.test') throw new Error('out of order');
    if (host === 'denied.test') throw new Refusal(403, 'the policy refuses it');
    return {
      id: `${host}:${port}`,
      refusal: (found: string | undefined) =>
        found === undefined || found === '127.0.0.1' ? undefined : `${found} is refused`,
    };
  },
});

async function dial(): Promise<Socket> {
  if (proxy === undefined || !servers.some((each) => 'steps' in each)) {
    const error = (_: string, failure: unknown) => logged.push(String(failure));
    const info = (message: string, fields: object = {}) =>
      logged.push(`${message}: ${JSON.stringify(fields)}`);
    const dialer = new Dialer({ proxies, lookup });
    const options = { dialer, log: { info, error }, isUsed: () => isUsed, ...times };
    proxy = new StepProxy({ egress: { standing }, ...options });
    const serving = createServer({ allowHalfOpen: true }, (each) => proxy.serve(each));
    port = await listen(Object.assign(serving, { steps: true }));
  }
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  sockets.push(socket);
  await once(socket, 'connect');
  return socket;
}

/** Sends it all, and reads to the end of the answer. */
async function ask(...lines: string[]): Promise<string> {
  const socket = await dial();
  socket.write([...lines, '', ''].join('\r\n'));
  const answer = await text(socket);
  socket.end();
  return answer;
}

const get = (url: string): Promise<string> =>
  ask(`GET ${url} HTTP/1.1`, `Host: ${new URL(url).host}`, 'Connection: close');
const tunnel = (authority: string): Promise<string> =>
  ask(`CONNECT ${authority} HTTP/1.1`, `Host: ${authority}`);

async function echo(): Promise<number> {
  return await listen(
    createServer({ allowHalfOpen: true }, (each) => {
      each.on('error', () => undefined);
      each.pipe(each);
    }),
  );
}

it('carries a tunnel both ways, until each side has ended by itself', async () => {
  const to = await echo();
  const socket = await dial();
  socket.write(`CONNECT Site.Test:${to} HTTP/1.1\r\nHost: x\r\n\r\nfirst `);
  socket.end('last');
  expect(await text(socket)).toBe('HTTP/1.1 200 Connection established\r\n\r\nfirst last');
  expect(lookedUp).toEqual(['site.test']);
  expect(logged).toEqual([`a step of a build has reached a host: {"host":"site.test:${to}"}`]);
});

it('passes a request of plain HTTP on, without what belongs to the connection', async () => {
  const url = `http://site.test:${site}/a?b=c`;
  const answer = await ask(
    ...[`POST ${url} HTTP/1.1`, 'Host: other.test', 'Connection: close, x-mine', 'X-Mine: 1'],
    ...[
      'Proxy-Authorization: Basic eDp5',
      'Accept-Encoding: gzip',
      'Content-Length: 4',
      '',
      'body',
    ],
  );
  const [{ request, body } = expect.fail('nothing was asked')] = asked;
  expect(request).toMatchObject({ method: 'POST', url: '/a?b=c' });
  expect(body).toBe('body');
  expect(request.headers).toEqual({
    ...{ host: `site.test:${site}`, connection: 'close', 'accept-encoding': 'gzip' },
    'content-length': '4',
  });
  expect(answer).toMatch(/^HTTP\/1\.1 201 Made\r\n/);
  expect(answer).toMatch(/set-cookie: a=1\r\nset-cookie: b=2\r\n/);
  expect(answer).not.toContain('x-hop');
  expect(answer).toContain('made');
});

it('says with each answer that it is the last one on its connection', async () => {
  for (const path of [`site.test:${site}/`, 'denied.test/']) {
    const socket = await dial();
    socket.write(`GET http://${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
    expect(await text(socket)).toMatch(/\r\nconnection: close\r\n/i);
  }
});

it.each(['GET http://', 'CONNECT '])(
  'cuts a connection that asks again too early: %s',
  async (next) => {
    const waiting = createServer();
    const to = await listen(waiting);
    const reached: Socket[] = [];
    waiting.on('connection', (each) => reached.push(each.resume().on('error', () => undefined)));
    const socket = await dial();
    socket.write(`GET http://site.test:${to}/ HTTP/1.1\r\nHost: x\r\n\r\n`);
    const [first] = (await once(waiting, 'connection')) as [Socket];
    const ended = once(first, 'close');
    socket.write(`${next}site.test:${to} HTTP/1.1\r\nHost: x\r\n\r\n`);
    expect(await text(socket).catch(() => '')).toBe('');
    await ended;
    expect(reached).toHaveLength(1);
  },
);

it('refuses a request with a body that is still on its way', async () => {
  const socket = await dial();
  socket.write('POST http://denied.test/ HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbo');
  let answer = '';
  socket.on('data', (chunk) => {
    answer += chunk;
  });
  while (!answer.endsWith('refuses it\n')) await once(socket, 'data');
  expect(answer).toMatch(/^HTTP\/1\.1 403 /);
  const ended = once(socket, 'end');
  socket.write('dy');
  await ended;
});

it('looks a name up once, and connects to an address that was checked', async () => {
  addresses['two.test'] = ['10.0.0.1', '127.0.0.1'];
  expect(await get(`http://two.test:${site}/`)).toMatch(/^HTTP\/1\.1 201 /);
  expect(lookedUp).toEqual(['two.test']);
  addresses['none.test'] = ['10.0.0.1'];
  expect(await get(`http://none.test:${site}/`)).toMatch(
    /^HTTP\/1\.1 403 Forbidden: 10\.0\.0\.1 is refused\r\n[\s\S]*10\.0\.0\.1 is refused\n/,
  );
  expect(asked).toHaveLength(1);
});

it.each([
  ['CONNECT denied.test:443', 403, 'the policy refuses it'],
  ['CONNECT 10.0.0.1:443', 403, '10.0.0.1 is refused'],
  ['CONNECT [::1]:443', 403, '::1 is refused'],
  ['CONNECT nowhere.test:443', 502, 'there is no address of nowhere.test'],
  ['CONNECT site.test:1', 502, 'site.test:1 cannot be reached'],
  ['CONNECT site.test:70000', 400, 'the request has no valid host and port'],
  ['CONNECT site.test:0', 400, 'the request has no valid host and port'],
  ['CONNECT a@site.test:80', 400, 'the request has no valid host and port'],
  ['CONNECT xn--a:443', 400, 'xn--a:443 names no host'],
  ['GET http://denied.test/x', 403, 'the policy refuses it'],
  ['GET /x', 400, 'it names no whole URL'],
  ['GET https://site.test/x', 400, 'it names no whole URL'],
  ['GET ftp://site.test/x', 400, 'it names no whole URL'],
])('refuses %s with status %i, in words', async (line, status, words) => {
  const answer = await ask(`${line} HTTP/1.1`, 'Host: x', 'Connection: close');
  expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  expect(answer.split('\r\n\r\n')[1]).toContain(words);
  expect(proxy.refusedSince(0)).toEqual([expect.stringContaining(words)]);
});

it.each(['Content-Length', 'Transfer-Encoding', 'Host'])(
  'refuses a request whose connection would drop %s',
  async (name) => {
    const head = ['DELETE http://site.test/ HTTP/1.1', 'Host: x', 'Content-Length: 6'];
    const answer = await ask(...head, `Connection: close, ${name}`, '', 'GET / ');
    expect(answer).toMatch(/^HTTP\/1\.1 400 .*its header Connection names /);
    expect(lookedUp).toEqual([]);
  },
);

it.each(['000 None', '099 Low', '101 No upgrade', '200 a\x01b'])(
  'refuses an answer with the status %j',
  async (status) => {
    const to = await listen(
      createServer((each) => {
        each.on('error', () => undefined);
        each.once('data', () => each.end(`HTTP/1.1 ${status}\r\ncontent-length: 0\r\n\r\n`));
      }),
    );
    const answer = await get(`http://site.test:${to}/`);
    expect(answer).toMatch(/^HTTP\/1\.1 502 .*answers with an invalid status/);
    expect(logged.filter((line) => line.includes('Error'))).toEqual([]);
  },
);

it('logs an error of its own once in a while', async () => {
  for (let time = 0; time < 3; time += 1) {
    expect(await tunnel('broken.test:443')).toMatch(/^HTTP\/1\.1 502 /);
  }
  expect(logged.filter((line) => line.includes('out of order'))).toHaveLength(1);
});

it('logs a host once, whether it was reached or refused', async () => {
  for (let time = 0; time < 2; time += 1) {
    await tunnel('denied.test:443');
    await get(`http://site.test:${site}/`);
  }
  expect(logged).toEqual([
    expect.stringContaining('refused: {"host":"denied.test:443","reason":"the policy refuses it"}'),
    expect.stringContaining(`reached a host: {"host":"site.test:${site}"}`),
  ]);
});

it('refuses everything while no build is under way, and ends what a build has left', async () => {
  const to = await echo();
  const socket = await dial();
  socket.write(`CONNECT site.test:${to} HTTP/1.1\r\nHost: x\r\n\r\n`);
  await once(socket, 'data');
  const ended = once(socket, 'close');
  isUsed = false;
  proxy.cut();
  socket.end();
  await ended;
  expect(await tunnel(`site.test:${to}`)).toMatch(/^HTTP\/1\.1 403 .*no build is under way/);
});

it('ends a request whose step has left', async () => {
  const waiting = createServer();
  const to = await listen(waiting);
  const socket = await dial();
  const [[reached]] = await Promise.all([
    once(waiting, 'connection') as Promise<[Socket]>,
    socket.write(`GET http://site.test:${to}/ HTTP/1.1\r\nHost: x\r\n\r\n`),
  ]);
  reached.on('error', () => undefined);
  const ended = once(reached.resume(), 'close');
  socket.destroy();
  await ended;
});

it('ends connections without a head, and tunnels without a byte', async () => {
  times = { headMs: 1, silentMs: 1 };
  const to = await echo();
  const idle = await dial();
  expect(await text(idle)).toBe('');
  times = { silentMs: 1 };
  servers
    .splice(
      servers.findIndex((each) => 'steps' in each),
      1,
    )[0]
    ?.close();
  expect(await tunnel(`site.test:${to}`)).toBe('HTTP/1.1 200 Connection established\r\n\r\n');
});

it('goes through the proxy of the host, which looks names up', async () => {
  const seen: string[] = [];
  const upstream = createHttp((request, response) => {
    seen.push(`${request.method} ${request.url} ${request.headers['proxy-authorization']}`);
    response.end('from the proxy');
  });
  upstream.on('connect', (request: IncomingMessage, connection) => {
    seen.push(`CONNECT ${request.url} ${request.headers['proxy-authorization']}`);
    if (request.url?.startsWith('no.') === true) {
      connection.end('HTTP/1.1 407 No\r\ncontent-length: 0\r\n\r\n');
      return;
    }
    connection.write('HTTP/1.1 200 OK\r\n\r\nhello ');
    connection.pipe(connection);
  });
  const url = new URL(`http://us%40er:pw@127.0.0.1:${await listen(upstream)}`);
  proxies = { http: url, https: url, except: [] };
  const login = `Basic ${Buffer.from('us@er:pw').toString('base64')}`;
  const socket = await dial();
  socket.write('CONNECT far.test:443 HTTP/1.1\r\nHost: x\r\n\r\n');
  socket.end('bytes');
  expect(await text(socket)).toContain('established\r\n\r\nhello bytes');
  expect(await get('http://far.test/x?y')).toContain('from the proxy');
  expect(await tunnel('no.test:443')).toMatch(
    /^HTTP\/1\.1 502 .*the proxy of this host answers 407/,
  );
  expect(await tunnel('10.0.0.1:443')).toMatch(/^HTTP\/1\.1 403 .*10\.0\.0\.1 is refused/);
  expect(lookedUp).toEqual([]);
  expect(seen).toEqual([
    `CONNECT far.test:443 ${login}`,
    `GET http://far.test/x?y ${login}`,
    `CONNECT no.test:443 ${login}`,
  ]);
});
