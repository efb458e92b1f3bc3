import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { A3sError } from '../errors.ts';
import {
  canonicalName,
  familiarName,
  parseReference,
  type Reference,
  withDefaultTag,
} from './reference.ts';

const HEX = 'a'.repeat(64);
const DIGEST = `sha256:${HEX}`;

describe('parseReference', () => {
  it.each([
    ['redis', 'docker.io/library/redis', 'redis'],
    ['redis:7', 'docker.io/library/redis:7', 'redis:7'],
    ['team/app', 'docker.io/team/app', 'team/app'],
    ['docker.io/redis', 'docker.io/library/redis', 'redis'],
    ['index.docker.io/library/redis:7', 'docker.io/library/redis:7', 'redis:7'],
    ['localhost/app', 'localhost/app', 'localhost/app'],
    ['localhost:5000/app:5000', 'localhost:5000/app:5000', 'localhost:5000/app:5000'],
    ['host:5000/app', 'host:5000/app', 'host:5000/app'],
    ['ghcr.io/a/b/c:v1.2', 'ghcr.io/a/b/c:v1.2', 'ghcr.io/a/b/c:v1.2'],
    ['[2001:db8::1]/app:1', '[2001:db8::1]/app:1', '[2001:db8::1]/app:1'],
    ['[::1]:5000/app', '[::1]:5000/app', '[::1]:5000/app'],
    ['Host:5000/app', 'Host:5000/app', 'Host:5000/app'],
    [`redis:7@${DIGEST}`, `docker.io/library/redis:7@${DIGEST}`, `redis:7@${DIGEST}`],
    ['a__b/c-----d.e_f', 'docker.io/a__b/c-----d.e_f', 'a__b/c-----d.e_f'],
    ['docker.io/my.repo/x', 'docker.io/my.repo/x', 'docker.io/my.repo/x'],
    ['docker.io/localhost/x', 'docker.io/localhost/x', 'docker.io/localhost/x'],
    [`docker.io/library/${HEX}`, `docker.io/library/${HEX}`, `library/${HEX}`],
  ])('parses the reference %s as %s and shows it as %s', (text, canonical, familiar) => {
    const reference = parseReference(text);
    expect(canonicalName(reference)).toBe(canonical);
    expect(familiarName(reference)).toBe(familiar);
  });

  it('parses a number after an image name as a tag, not as a port', () => {
    expect(parseReference('redis:7')).toMatchObject({ path: 'library/redis', tag: '7' });
    expect(withDefaultTag(parseReference('redis'))).toMatchObject({ tag: 'latest' });
    expect(withDefaultTag(parseReference(`redis@${DIGEST}`)).tag).toBeUndefined();
  });

  it.each([
    '',
    ':',
    '/',
    '@',
    '../redis',
    'redis/../x',
    'redis:../x',
    'redis:',
    'redis:.a',
    'redis:-a',
    `redis:${'a'.repeat(129)}`,
    'redis@sha256:../../etc/passwd',
    `redis@sha256:${'A'.repeat(64)}`,
    `redis@sha512:${'a'.repeat(128)}`,
    `redis@${DIGEST}@${DIGEST}`,
    'redis@',
    'Redis',
    'a//b',
    '/redis',
    'redis/',
    '-redis',
    'redis-',
    'a..b',
    'a___b',
    'ho_st.com/x',
    'host:port/x',
    'host:123456/x',
    '[::1/x',
    'redis\n',
    ' redis',
    'réd',
    'a\0b',
    HEX,
  ])('refuses the reference %j', (text) => {
    expect(() => parseReference(text)).toThrow(
      expect.objectContaining({ code: 'invalid-reference' }),
    );
  });

  it.each([
    ['256 letters', 'a'.repeat(256)],
    ['600 path components', 'a/'.repeat(600)],
  ])('refuses a reference of %s', (_, text) => {
    expect(() => parseReference(text)).toThrow(
      expect.objectContaining({ code: 'invalid-reference' }),
    );
  });

  it(
    'either refuses a text or reads its canonical and familiar names as the same reference',
    async () => {
      const piece = fc.constantFrom(
        ...['a', 'B', '0', 'redis', 'localhost', 'docker.io', 'library', DIGEST, HEX],
        ...['.', '-', '_', '__', '/', ':', '@', '[', ']', '::1', '..', '5000', 'é', '\0', '\n'],
      );
      const text = fc.oneof(
        fc.string({ unit: 'binary' }),
        fc.array(piece).map((pieces) => pieces.join('')),
      );
      await fuzz(
        fc.property(text, (input) => {
          let reference: Reference;
          try {
            reference = parseReference(input);
          } catch (error) {
            expect(error).toBeInstanceOf(A3sError);
            return;
          }
          expect(parseReference(canonicalName(reference))).toEqual(reference);
          expect(parseReference(familiarName(reference))).toEqual(reference);
          expect(canonicalName(reference)).not.toMatch(/\.\.\/|\/\.|\s|\/\//);
        }),
      );
    },
    FUZZ_TIMEOUT,
  );
});
