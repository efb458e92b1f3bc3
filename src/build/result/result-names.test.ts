import { expect, it } from 'vitest';
import { requireResultNames } from './result-names.ts';

const NAME = 'docker.io/library/app';

it('takes as many names as the bound, each with a tag', () => {
  const names = (count: number) => Array.from({ length: count }, (_, n) => `${NAME}:${n}`);
  expect(() => requireResultNames(names(64))).not.toThrow();
  expect(() => requireResultNames(names(65))).toThrow('65 names');
});

it.each(['', ':1'])('refuses a name with a digest, after the tag %j', (tag) => {
  const name = `${NAME}${tag}@sha256:${'a'.repeat(64)}`;
  expect(() => requireResultNames([name])).toThrow('has a digest');
});
