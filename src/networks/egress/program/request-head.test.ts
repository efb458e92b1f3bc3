import { describe, expect, it } from 'vitest';
import { peekRequestHead } from './request-head.ts';

const peek = (text: string) => peekRequestHead(Buffer.from(text, 'latin1'));

describe('the head of a request', () => {
  it('reads the name of the host from a request, and asks for the end of the connection', () => {
    const text =
      'GET /x HTTP/1.1\r\nhost: WWW.example.org:80\r\nConnection: keep-alive, upgrade\r\nUpgrade: h2c\r\nX: 1\r\n\r\nbody';
    const found = peek(text);
    if (found.state !== 'name') throw new Error(found.state);
    expect(found.name).toBe('www.example.org');
    expect(found.head.toString()).toBe(
      'GET /x HTTP/1.1\r\nhost: WWW.example.org:80\r\nX: 1\r\nConnection: close\r\n\r\n',
    );
    expect(text.slice(found.length)).toBe('body');
  });

  it('takes a request with a whole URL, and refuses one of another host', () => {
    const url = (host: string) => peek(`GET http://a.example/x HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    expect(url('a.example')).toMatchObject({ state: 'name', name: 'a.example' });
    expect(url('b.example')).toMatchObject({ state: 'refused' });
  });

  it('waits for the whole head of a request, up to a limit', () => {
    expect(peek('')).toEqual({ state: 'more' });
    expect(peek('GET / HTTP/1.1\r\nHost: a.example\r\n')).toEqual({ state: 'more' });
    expect(peek(`GET / HTTP/1.1\r\nX: ${'x'.repeat(20_000)}`)).toMatchObject({ state: 'refused' });
  });

  it.each([
    ['no host', 'GET / HTTP/1.1\r\nX: 1\r\n\r\n'],
    ['two hosts', 'GET / HTTP/1.1\r\nHost: a.example\r\nHost: b.example\r\n\r\n'],
    ['an address for a host', 'GET / HTTP/1.1\r\nHost: 203.0.113.1\r\n\r\n'],
    ['a user in the host', 'GET / HTTP/1.1\r\nHost: a.example@b.example\r\n\r\n'],
    ['a folded line', 'GET / HTTP/1.1\r\nHost: a.example\r\n b.example\r\n\r\n'],
    ['a space before the colon', 'GET / HTTP/1.1\r\nHost : a.example\r\n\r\n'],
    ['a bare line feed', 'GET / HTTP/1.1\r\nX: 1\nHost: b.example\r\nHost: a.example\r\n\r\n'],
    [
      'a bare carriage return',
      'GET / HTTP/1.1\r\nX: 1\rHost: b.example\r\nHost: a.example\r\n\r\n',
    ],
    ['a NUL', 'GET / HTTP/1.1\r\nHost: a.example\0\r\n\r\n'],
    ['CONNECT', 'CONNECT b.example:443 HTTP/1.1\r\nHost: a.example\r\n\r\n'],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['TLS', '\x16\x03\x01\x02\x00'],
    ['HTTP/0.9', 'GET /\r\n\r\n'],
    ['a space in the path', 'GET /a b HTTP/1.1\r\nHost: a.example\r\n\r\n'],
  ])('refuses a request with %s', (_, text) => {
    expect(peek(text)).toEqual({ state: 'refused', why: expect.any(String) });
  });
});
