import { expect, it } from 'vitest';
import { hasIds } from './features.ts';

it.each([
  ['the host', '         0          0 4294967295\n', true],
  ['a namespace with all ids of another', '0 100000 65536\n65536 2000000000 2147483647\n', true],
  ['an ordinary user’s namespace with one id', '         0      64321          1\n', false],
  ['one with those of /etc/subuid', '0 1000 1\n1 100000 65536\n', false],
])('knows whether %s has the ids of jails', (_, map, has) => {
  expect(hasIds(map)).toBe(has);
});
