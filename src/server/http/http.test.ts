import { lstatSync, statSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestHome } from '../testing/home.ts';
import { MAX_JSON } from './body.ts';

const home = new TestHome();
beforeAll(async () => {
  await home.start();
});
afterAll(() => home.remove());

function dial(): Socket {
  return connect({ path: home.config.socket, allowHalfOpen: true });
}

/** Sends the bytes, and reads everything that the server sends until it closes. */
async function say(bytes: string | Uint8Array): Promise<string> {
  const socket = dial();
  socket.end(bytes);
  try {
    return await text(socket);
  } finally {
    socket.destroy();
  }
}

async function alive(): Promise<void> {
  expect((await home.call('GET', '/_ping')).status).toBe(200);
}

describe('the socket', () => {
  it('makes socket, home and runtime directory private to their owner', () => {
    expect(lstatSync(home.config.socket).mode & 0o777).toBe(0o600);
    expect(statSync(home.config.home).mode & 0o066).toBe(0);
    expect(statSync(home.config.runtimeDir).mode & 0o066).toBe(0);
  });
});

describe('the router', () => {
  it.each([
    ['GET', '/_ping', 200],
    ['GET', '/v1.24/_ping', 200],
    ['GET', '/v1.41/version', 200],
    ['GET', '/v1.47/version', 200],
    ['GET', '/v1.23/version', 400],
    ['GET', '/v1.99/version', 400],
    ['GET', '/v2.0/version', 400],
    ['GET', '/nope', 404],
    ['POST', '/version', 404],
    ['GET', '/containers/a%2F..%2Fb/json', 404],
    ['GET', '/containers/%E0%A4%A/json', 404],
    ['GET', '/containers/json?filters=x', 400],
    ['GET', '/containers/json?filters={"nope":["1"]}', 400],
    ['GET', '/containers/json?limit=x', 400],
    ['GET', '/containers/json?limit=1&limit=2', 400],
    ['GET', '/images/a/b/c:d/json', 404],
    ['POST', '/containers/x/start', 404],
    ['POST', '/exec/x/start', 404],
    ['GET', '/images/search?term=x', 501],
    ['DELETE', '/containers/x', 404],
  ])('answers %s %s with %i', async (method, path, status) => {
    const answer = await home.call(method, path);
    expect(answer.status).toBe(status);
    if (status >= 400) {
      expect(answer.body).toMatchObject({ message: expect.any(String), code: expect.any(String) });
    }
  });

  it('answers HEAD without a body, with the API version in a header', async () => {
    const answer = await home.call('HEAD', '/_ping');
    expect(answer).toMatchObject({ status: 200, body: undefined });
    expect(answer.headers).toMatchObject({ 'api-version': '1.45', ostype: 'linux' });
  });

  it('refuses a body that is too large without buffering it', async () => {
    const answer = await home.call('POST', '/containers/create', ' '.repeat(MAX_JSON + 1));
    expect(answer).toMatchObject({ status: 413, body: { code: 'too-large' } });
    await alive();
  });

  it('hides the details of an unexpected error', async () => {
    const list = home.images.list;
    home.images.list = async () => {
      throw new Error('secret path /root/.key');
    };
    const answer = await home.call('GET', '/images/json');
    home.images.list = list;
    expect(answer).toMatchObject({ status: 500, body: { code: 'internal' } });
    expect(JSON.stringify(answer.body)).not.toContain('secret');
  });
});

describe('upgrades', () => {
  const upgrade = 'Host: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n';

  it('answers an upgrade request to a route without upgrades in plain HTTP', async () => {
    const answer = await say(`GET /version HTTP/1.1\r\n${upgrade}\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    expect(answer).toContain('"ApiVersion":"1.45"');
    expect(await say(`GET /nope HTTP/1.1\r\n${upgrade}\r\n`)).toMatch(/^HTTP\/1\.1 404 /);
  });

  it('checks upgrade requests like other requests', async () => {
    const head = `POST /containers/nope/attach?stream=1 HTTP/1.1\r\n${upgrade}`;
    expect(await say(`${head}\r\n`)).toMatch(/^HTTP\/1\.1 404 /);
    expect(await say(`${head}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`)).toMatch(
      /^HTTP\/1\.1 400 /,
    );
    const exec = `POST /exec/nope/start HTTP/1.1\r\n${upgrade}Content-Length: 3\r\n\r\n{x}`;
    expect(await say(exec)).toMatch(/^HTTP\/1\.1 400 /);
    await alive();
  });

  it('reads the document after the headers, and the input after the document', async () => {
    const box = await home.create(['sleep', 'infinity']);
    await home.call('POST', `/containers/${box}/start`);
    const exec = await home.call('POST', `/containers/${box}/exec`, {
      ...{ Cmd: ['cat'], AttachStdin: true, AttachStdout: true, Tty: false },
    });
    const { Id } = exec.body as { Id: string };
    const document = '{"Detach":false}';
    const answer = await say(
      `POST /exec/${Id}/start HTTP/1.1\r\n${upgrade}Content-Length: ${document.length}\r\n\r\n${document}typed`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 101 UPGRADED\r\n/);
    expect(answer.slice(answer.indexOf('\r\n\r\n') + 4)).toBe('\x01\0\0\0\0\0\0\x05typed');
    await home.call('DELETE', `/containers/${box}?force=1`);
  });
});

describe('clients that vanish', () => {
  it('keeps an exec running after its client vanishes, and reads its output', async () => {
    const box = await home.create(['sleep', 'infinity']);
    await home.call('POST', `/containers/${box}/start`);
    const exec = await home.call('POST', `/containers/${box}/exec`, {
      ...{ Cmd: ['bytes', '5000000'], AttachStdout: true },
    });
    const { Id } = exec.body as { Id: string };
    const socket = dial();
    socket.write(
      `POST /exec/${Id}/start HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 2\r\n\r\n{}`,
    );
    await new Promise((resolve) => socket.once('data', resolve));
    socket.destroy();
    const state = async (): Promise<unknown> => (await home.call('GET', `/exec/${Id}/json`)).body;
    await expect.poll(state, { timeout: 10_000 }).toMatchObject({ Running: false, ExitCode: 0 });
    await home.call('DELETE', `/containers/${box}?force=1`);
  });

  it('ends streams whose clients vanish', async () => {
    const before = home.runtime.events.listeners;
    const socket = dial();
    socket.write('GET /events HTTP/1.1\r\nHost: x\r\n\r\n');
    await expect.poll(() => home.runtime.events.listeners).toBe(before + 1);
    socket.destroy();
    await expect.poll(() => home.runtime.events.listeners).toBe(before);
  });

  it('ignores a client that vanishes in the middle of a document', async () => {
    const socket = dial();
    socket.write(
      'POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"Image"',
    );
    await alive();
    socket.destroy();
    await alive();
    expect((await home.call('GET', '/containers/json?all=1')).body).toEqual([]);
  });

  it('lets a client that never reads block neither the box nor others', async () => {
    const box = await home.create(['bytes', '8000000'], { Tty: true });
    const lazy = dial();
    lazy.pause();
    lazy.write(
      `POST /containers/${box}/attach?stream=1&stdout=1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n`,
    );
    await new Promise((resolve) => lazy.once('readable', resolve));
    await home.call('POST', `/containers/${box}/start`);
    expect((await home.call('POST', `/containers/${box}/wait`)).body).toEqual({ StatusCode: 0 });
    lazy.destroy();
    await home.call('DELETE', `/containers/${box}`);
  });
});

it(
  'survives arbitrary bytes on the socket',
  () =>
    fuzz(
      fc.asyncProperty(fc.uint8Array({ maxLength: 500 }), async (bytes) => {
        await say(bytes).catch(() => '');
        await alive();
      }),
    ),
  FUZZ_TIMEOUT,
);

const paths = fc.constantFrom(
  ...[
    '/containers/create',
    '/containers/x/attach',
    '/exec/x/start',
    '/images/load',
    '/events?until=1',
  ],
);
const upgrades = fc.constantFrom('', 'Connection: Upgrade\r\nUpgrade: tcp\r\n', 'Upgrade: h2c\r\n');
const lengths = fc.option(fc.nat(600));

it(
  'answers or closes on any body at any route, and stays alive',
  () =>
    fuzz(
      fc.asyncProperty(
        paths,
        upgrades,
        lengths,
        fc.uint8Array({ maxLength: 300 }),
        async (path, upgrade, length, body) => {
          const size = length === null ? '' : `Content-Length: ${length}\r\n`;
          const head = `POST ${path} HTTP/1.1\r\nHost: x\r\n${upgrade}${size}\r\n`;
          const answer = await say(Buffer.concat([Buffer.from(head), body])).catch(() => '');
          expect(answer).toMatch(/^($|HTTP\/1\.1 [1245]\d\d )/);
          expect(answer).not.toMatch(/^HTTP\/1\.1 500 /);
          await alive();
        },
      ),
    ),
  FUZZ_TIMEOUT,
);
