import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { globCovers, hasTangledStars, matchesGlob } from './glob.ts';

/** A direct implementation of the definition, which takes exponential time. */
function naive(pattern: string, text: string): boolean {
  if (pattern === '') return text === '';
  if (pattern.startsWith('**')) {
    return naive(pattern.slice(2), text) || (text !== '' && naive(pattern, text.slice(1)));
  }
  if (pattern.startsWith('*')) {
    const swallows = text !== '' && !text.startsWith('/');
    return naive(pattern.slice(1), text) || (swallows && naive(pattern, text.slice(1)));
  }
  return text !== '' && text[0] === pattern[0] && naive(pattern.slice(1), text.slice(1));
}

const names = fc.string({ unit: fc.constantFrom('a', 'b', '/', '.'), maxLength: 9 });
const patterns = fc
  .array(fc.constantFrom('a', 'b', '/', '.', '*', '**'), { maxLength: 7 })
  .map((parts) => parts.join(''))
  .filter((pattern) => !hasTangledStars(pattern));

describe('matchesGlob', () => {
  it.each([
    ['**', '', true],
    ['**', 'docker.io/library/redis', true],
    ['*', 'a/b', false],
    ['registry.example:5000/team/**', 'registry.example:5000/team/app', true],
    ['registry.example:5000/team/**', 'registry.example:5000/team/a/b', true],
    ['registry.example:5000/team/**', 'registry.example:5000/team', false],
    ['registry.example:5000/team/**', 'registry.example/team/app', false],
    ['registry.example:5000/team/*', 'registry.example:5000/team/a/b', false],
    ['registry.example/*/app', 'registry.example/team/app', true],
    ['registry.example/*/app', 'registry.example/a/b/app', false],
    ['registry.example/**/app', 'registry.example/a/b/app', true],
    ['registry.example/team', 'registry.example/teams', false],
    ['registry.example/team', 'registryxexample/team', false],
    ['', '', true],
    ['', 'a', false],
  ])('matches the glob %s against the text %s with the result %s', (pattern, text, matches) => {
    expect(matchesGlob(pattern, text)).toBe(matches);
  });

  it(
    'matches any glob as a naive implementation of its definition',
    () => {
      fuzz(
        fc.property(patterns, names, (pattern, name) => {
          expect(matchesGlob(pattern, name)).toBe(naive(pattern, name));
        }),
      );
    },
    FUZZ_TIMEOUT,
  );

  it('matches without delay where backtracking would take forever', () => {
    expect(matchesGlob('*a'.repeat(120), `${'a'.repeat(500)}b`)).toBe(false);
    expect(matchesGlob(`${'**a'.repeat(100)}c`, 'a/'.repeat(250))).toBe(false);
  });
});

describe('globCovers', () => {
  it.each([
    ['**', 'docker.io/*/redis', true],
    ['registry.example/**', 'registry.example/team/*', true],
    ['registry.example/*', 'registry.example/a*', true],
    ['registry.example/*', 'registry.example/**', false],
    ['registry.example/a*', 'registry.example/*', false],
    ['*/a', 'b/a', true],
  ])('decides that %s covers %s: %s', (wider, narrower, covers) => {
    expect(globCovers(wider, narrower)).toBe(covers);
  });

  it(
    'matches every text of a glob by any glob that covers it',
    () => {
      fuzz(
        fc.property(patterns, patterns, names, (wider, narrower, name) => {
          if (globCovers(wider, narrower) && matchesGlob(narrower, name)) {
            expect(matchesGlob(wider, name)).toBe(true);
          }
        }),
      );
    },
    FUZZ_TIMEOUT,
  );
});
