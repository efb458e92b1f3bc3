import { describe, expect, it } from 'vitest';
import { tokenServerOf } from './token-realm.ts';

const named = (realm: string, registry: string) =>
  tokenServerOf(
    {
      scheme: 'bearer',
      parameters: new Map([
        ['realm', realm],
        ['service', 's'],
      ]),
    },
    new URL(registry),
  );

describe('the token server that a registry names', () => {
  it('accepts a token server on another host with TLS', () => {
    expect(named('https://auth.example/token?x=1#y', 'https://r.example').realm.href).toBe(
      'https://auth.example/token?x=1',
    );
  });

  it('accepts a token server without TLS where the registry has none, or both are on this host', () => {
    expect(named('http://auth.example/t', 'http://r.example').realm.protocol).toBe('http:');
    expect(named('http://127.0.0.1:1/t', 'https://localhost:2').realm.protocol).toBe('http:');
  });

  for (const [realm, registry] of [
    ['http://auth.example/t', 'https://r.example'],
    ['http://auth.example/t', 'https://127.0.0.1'],
    ['http://127.0.0.1/t', 'https://r.example'],
    ['/token', 'https://r.example'],
    ['', 'https://r.example'],
    ['file:///etc/passwd', 'https://r.example'],
    ['https://user:pass@auth.example/', 'https://r.example'],
    [`https://auth.example/${'x'.repeat(3000)}`, 'https://r.example'],
  ] as const) {
    it(`refuses the token server ${JSON.stringify(realm.slice(0, 40))} for ${registry}`, () => {
      expect(() => named(realm, registry)).toThrow(
        expect.objectContaining({ code: 'registry-failed' }),
      );
    });
  }
});
