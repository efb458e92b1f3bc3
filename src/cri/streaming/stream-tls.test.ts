import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectPlain, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { testCertificate } from '../../broker/testing/certificate.ts';
import type { StreamTarget } from './stream-target.ts';
import { StreamingServer } from './streaming-server.ts';
import { openStream, SPDY_HEADERS } from './testing/open-stream.ts';
import { SpdyClient } from './testing/spdy-client.ts';

const V4 = [...SPDY_HEADERS, 'X-Stream-Protocol-Version: v4.channel.k8s.io'];

let directory: string;
let files: { cert: string; key: string };
let server: StreamingServer;
let logged: string[];
let first: string;
const sockets: Socket[] = [];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'a3s-stream-tls-'));
  files = { cert: join(directory, 'tls.crt'), key: join(directory, 'tls.key') };
  logged = [];
  first = write();
  const log = { error: (message: string) => void logged.push(message) };
  server = await StreamingServer.listen(log, { host: '127.0.0.1', port: 0, tls: files });
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await server.close();
  rmSync(directory, { recursive: true });
});

function write(): string {
  const { cert, key } = testCertificate('node');
  writeFileSync(files.cert, cert);
  writeFileSync(files.key, key);
  return cert;
}

async function secure(url: string, ca: string): Promise<TLSSocket> {
  const socket = connect({ host: '127.0.0.1', port: Number(new URL(url).port), ca });
  socket.on('error', () => undefined);
  sockets.push(socket);
  await once(socket, 'secureConnect');
  return socket;
}

const echo: StreamTarget = {
  kind: 'exec',
  command: {
    ...{ stdin: false, stdout: true, stderr: false, terminal: false },
    serve: async (client) => {
      await client.write(1, Buffer.from('by TLS'));
      return 0;
    },
  },
};

it('serves streams by TLS with the certificate of its files', async () => {
  const cert = write();
  const url = server.url(echo);
  expect(url).toMatch(/^https:\/\/127\.0\.0\.1:\d+\/exec\/[\w-]{43}$/);
  const { socket, status } = await openStream(url, V4, 'POST', undefined, await secure(url, cert));
  expect(status).toBe(101);
  const client = new SpdyClient(socket);
  const error = await client.open({ streamtype: 'error' });
  const stdout = await client.open({ streamtype: 'stdout' });
  await client.until(() => client.of(error).ended);
  expect(client.text(stdout)).toBe('by TLS');
});

it('answers no request that is not encrypted, and keeps its token good', async () => {
  const url = server.url(echo);
  const { port, pathname } = new URL(url);
  const plain = connectPlain(Number(port), '127.0.0.1');
  plain.on('error', () => undefined);
  sockets.push(plain);
  plain.write(`POST ${pathname} HTTP/1.1\r\nHost: a\r\n${V4.join('\r\n')}\r\n\r\n`);
  let answer = '';
  plain.on('data', (piece) => {
    answer += piece.toString('latin1');
  });
  await once(plain, 'close');
  expect(answer).not.toContain('HTTP');
  const secured = await secure(url, first);
  expect((await openStream(url, V4, 'POST', undefined, secured)).status).toBe(101);
});

it('takes a renewed certificate, and keeps the old one where the new one cannot be used', async () => {
  const renewed = write();
  const url = server.url(echo);
  expect((await secure(url, renewed)).authorized).toBe(true);
  writeFileSync(files.key, 'no key');
  expect((await secure(server.url(echo), renewed)).authorized).toBe(true);
  expect(logged).toEqual(['the certificate of the streams of CRI could not be renewed']);
});

it('keeps clients that only connect from keeping others out', async () => {
  const cert = write();
  const url = server.url(echo);
  const idle: Socket[] = [];
  for (let index = 0; index < 256; index += 1) {
    const socket = connectPlain(Number(new URL(url).port), '127.0.0.1');
    socket.on('error', () => undefined);
    idle.push(socket);
    sockets.push(socket);
    await once(socket, 'connect');
  }
  const opened = await openStream(url, V4, 'POST', undefined, await secure(url, cert));
  expect(opened.status).toBe(101);
});

it.each([
  ['a file that is missing', () => rmSync(files.cert)],
  ['a key that does not fit', () => writeFileSync(files.key, testCertificate('other').key)],
])('refuses to start with %s', async (_, damage) => {
  damage();
  const log = { error: () => undefined };
  const asked = { host: '127.0.0.1', port: 0, tls: files };
  await expect(StreamingServer.listen(log, asked)).rejects.toMatchObject({
    code: 'invalid-argument',
    message: expect.stringContaining('tls.crt and '),
  });
});

it('refuses to start on a port that another server has', async () => {
  const { port } = new URL(server.url(echo));
  const asked = { host: '127.0.0.1', port: Number(port) };
  await expect(StreamingServer.listen({ error: () => undefined }, asked)).rejects.toMatchObject({
    code: 'invalid-argument',
    message: expect.stringContaining('EADDRINUSE'),
  });
});
