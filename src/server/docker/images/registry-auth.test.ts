import { fuzzRuns } from '@a3s-box/test-fuzz';
import { fc, test as fuzz } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { A3sError } from '../../../errors.ts';
import { registryAuth, registryConfig } from './registry-auth.ts';

const header = (value: unknown, encoding: BufferEncoding = 'base64url'): Headers =>
  new Headers({ 'X-Registry-Auth': Buffer.from(JSON.stringify(value)).toString(encoding) });

describe('credentials of a request', () => {
  it('reads registry credentials in either base64 alphabet', () => {
    const sent = { username: 'u', password: '>>>???', email: '', serveraddress: 'r.example' };
    const read = {
      username: 'u',
      password: '>>>???',
      identityToken: undefined,
      registryToken: undefined,
    };
    expect(registryAuth(header(sent))).toEqual(read);
    expect(registryAuth(header(sent, 'base64'))).toEqual(read);
    expect(registryAuth(header({ identitytoken: 'i', registrytoken: 'r' }))).toMatchObject({
      identityToken: 'i',
      registryToken: 'r',
    });
  });

  it.each([[new Headers()], [header({})], [header({ username: '', password: '' })]])(
    'reads no credentials from an empty header: case %#',
    (headers) => {
      expect(registryAuth(headers)).toBeUndefined();
    },
  );

  it('refuses unreadable credentials without quoting them', () => {
    for (const bad of ['%%', 'c2VjcmV0', 'W10', 'eyJwYXNzd29yZCI6MX0']) {
      expect(() => registryAuth(new Headers({ 'X-Registry-Auth': bad }))).toThrow(
        expect.objectContaining({
          code: 'invalid-argument',
          message: expect.not.stringContaining('secret'),
        }),
      );
    }
  });

  const sent = fc.oneof(
    fc.string({ minLength: 1, unit: 'grapheme-ascii' }),
    fc.jsonValue().map((value) => Buffer.from(JSON.stringify(value)).toString('base64url')),
  );
  fuzz.prop([sent], fuzzRuns())('reads or refuses any credentials header', (value) => {
    try {
      registryAuth(new Headers({ 'X-Registry-Auth': value }));
    } catch (error) {
      if (!(error instanceof A3sError)) throw error;
    }
  });
});

it('reads the logins of all registries by their hosts', () => {
  const encoded = (document: object): Headers =>
    new Headers({
      'x-registry-config': Buffer.from(JSON.stringify(document)).toString('base64url'),
    });
  const login = { username: 'ci', password: 'sesame' };
  const config = { 'https://index.docker.io/v1/': login, 'host:5000': login, 'empty.example': {} };
  const logins = registryConfig(encoded(config));
  expect([...logins.keys()]).toEqual(['docker.io', 'host:5000']);
  expect(logins.get('host:5000')).toMatchObject(login);
  expect(registryConfig(new Headers()).size).toBe(0);
  expect(() => registryConfig(encoded({ x: 'y' }))).toThrow('X-Registry-Config');
});
