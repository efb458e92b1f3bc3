import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { answer, KdsServer } from '../testing/kds-server.ts';
import { refusal } from '../testing/refusal.ts';
import { httpsFetch } from './fetch.ts';

const SIGNAL = new AbortController().signal;

let server: KdsServer;

beforeEach(async () => {
  server = await KdsServer.start();
});

afterEach(() => server.stop());

function get(maxBytes: number, signal = SIGNAL) {
  return httpsFetch(`${server.url}/path`, { signal, maxBytes });
}

describe('httpsFetch', () => {
  it('returns status, headers and body, whatever the content type', async () => {
    server.script.push(answer('abc', 200, { 'content-type': 'text/html', 'x-a': 'b' }));
    const { status, headers, body } = await get(3);
    expect(status).toBe(200);
    expect(headers.get('X-A')).toBe('b');
    expect(headers.get('x-c')).toBeNull();
    expect(body).toEqual(Uint8Array.of(97, 98, 99));
  });

  it('joins the pieces of a body', async () => {
    server.script.push((response) => {
      response.write('ab');
      response.write('cd');
      response.end('ef');
    });
    expect(new TextDecoder().decode((await get(6)).body)).toBe('abcdef');
  });

  it('refuses a body that is too long, and reads no more of it', async () => {
    server.script.push((response) => {
      response.write(new Uint8Array(100));
    });
    const error = await refusal(() => get(99));
    expect(error.code).toBe('kds-response');
    expect(error.expected).toBe('at most 99 bytes');
    await server.closed[0];
  });

  it('reads no body of an answer with an error status', async () => {
    server.script.push((response) => {
      response.writeHead(503);
      response.write(new Uint8Array(100));
    });
    const { status, body } = await get(10);
    expect(status).toBe(503);
    expect(body).toHaveLength(0);
    await server.closed[0];
  });

  it('accepts an answer without a body', async () => {
    server.script.push((response) => response.writeHead(204).end());
    expect(await get(10)).toMatchObject({ status: 204, body: new Uint8Array() });
  });

  it('follows no redirect', async () => {
    server.script.push(answer('', 302, { location: '/elsewhere' }));
    expect((await get(10)).status).toBe(302);
    expect(server.requests).toEqual(['/path']);
  });

  it('rejects with the reason of the signal, before and during the answer', async () => {
    const reason = new Error('enough');
    for (const begins of [false, true]) {
      const abort = new AbortController();
      server.script.push((response) => {
        if (begins) response.write('a');
        setImmediate(() => abort.abort(reason));
      });
      await expect(get(10, abort.signal)).rejects.toBe(reason);
    }
  });

  it('rejects when the server closes the connection without an answer', async () => {
    server.script.push((response) => response.destroy());
    await expect(get(10)).rejects.toThrow('fetch failed');
  });

  it('rejects when the answer breaks off', async () => {
    server.script.push((response) => {
      response.writeHead(200, { 'content-length': '10' });
      response.write('abc', () => response.destroy());
    });
    await expect(get(10)).rejects.toThrow('terminated');
  });
});
