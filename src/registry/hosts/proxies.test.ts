import { fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { proxyFor, readProxies } from './proxies.ts';

const through = (url: string, noProxy = '') =>
  proxyFor(
    readProxies({
      HTTPS_PROXY: 'http://p.example:3128',
      https_proxy: 'http://no',
      http_proxy: 'q:1',
      NO_PROXY: noProxy,
    }),
    new URL(url),
  )?.host;

describe('the proxy of a registry', () => {
  it('selects the proxy of the scheme, in upper or lower case, with or without http://', () => {
    expect(through('https://r.example')).toBe('p.example:3128');
    expect(through('http://r.example')).toBe('q:1');
    expect(proxyFor(readProxies({}), new URL('https://r.example'))).toBeUndefined();
  });

  it('uses no proxy for this host', () => {
    for (const host of ['localhost', '127.0.0.1:5000', '127.9.9.9', '[::1]:5000']) {
      expect(through(`https://${host}`)).toBeUndefined();
    }
  });

  // host, NO_PROXY, whether the connection is direct: the decisions of
  // golang.org/x/net/http/httpproxy.
  const cases: [string, string, boolean][] = [
    ['r.example', '*', true],
    ['r.example', 'example', true],
    ['r.example', '.example', true],
    ['r.example', '*.example', true],
    ['example', '.example', false],
    ['example', 'example', true],
    ['badexample', 'example', false],
    ['r.example', ' other , R.EXAMPLE ', true],
    ['r.example:5000', 'r.example:5000', true],
    ['r.example', 'r.example:443', true],
    ['r.example', 'r.example:5000', false],
    ['10.1.2.3', '10.0.0.0/8', true],
    ['11.1.2.3', '10.0.0.0/8', false],
    ['10.1.2.3', '10.1.2.3', true],
    ['10.1.2.3', '10.1.2.3:80', false],
    ['[fd00::1]', 'fd00::/8', true],
    ['[fd00::1]:5000', '[fd00::1]:5000', true],
    ['r.example', '10.0.0.0/99,,x/y/z', false],
    ['r.example', '10.0.0.0/8', false],
  ];
  for (const [host, noProxy, direct] of cases) {
    it(`uses ${direct ? 'no' : 'the'} proxy for ${host} with NO_PROXY=${noProxy}`, () => {
      expect(through(`https://${host}`, noProxy)).toBe(direct ? undefined : 'p.example:3128');
    });
  }

  it('refuses a proxy of another kind, and does not show its password', () => {
    let message = '';
    try {
      readProxies({ HTTPS_PROXY: 'socks5://me:s3cret@p.example' });
    } catch (error) {
      message = error instanceof Error ? error.message : '';
    }
    expect(message).toBe('Cannot use HTTPS_PROXY: it is not http://HOST:PORT');
  });

  it('evaluates any text in NO_PROXY without throwing', async () => {
    await fuzz(
      fc.property(fc.string({ maxLength: 200 }), (text) => {
        through('https://r.example', text);
      }),
    );
  });
});
