import { expect, it } from 'vitest';
import { boxPath, placeCopy, splitPath } from './paths.ts';

it.each([
  ['..', '/'],
  ['foo/..', '/'],
  ['/a/../../b', '/b'],
  ['a/b/', '/a/b/'],
  ['a/../.', '/.'],
  ['/', '/'],
  ['', ''],
])('resolves %j in a box to %j', (path, resolved) => {
  expect(boxPath(path)).toBe(resolved);
  expect(splitPath(boxPath(path)).name).not.toBe('..');
});

it('places nothing above a destination', () => {
  const side = { path: '/into', exists: true, isDirectory: true };
  expect(() => placeCopy({ ...side, name: '..' }, side)).toThrow('cannot copy to the name ".."');
  const absent = { path: '..', exists: false, isDirectory: false };
  expect(() => placeCopy({ ...side, name: 'x' }, absent)).toThrow('cannot copy to the name ".."');
});
