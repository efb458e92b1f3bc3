import { expect, it } from 'vitest';
import { checkVolumes, mountPoint, specifiedDirectories, volumeDirectories } from './volumes.ts';

const bind = (destination: string) => ({ source: '/tmp', destination, readonly: false });

it('directories are the volumes that no bind mount is at, each once', () => {
  const volumes = ['/data', '/data/', 'relative', '/a/../b', '/bound/', '/'];
  expect(volumeDirectories({ volumes, binds: [bind('/bound')] })).toEqual({
    directories: ['/data', '/relative', '/b', '/'],
  });
  expect(volumeDirectories({ volumes: ['/bound'], binds: [bind('/bound')] })).toEqual({});
  expect(volumeDirectories({})).toEqual({});
});

it('directories of a launch spec are sorted, each once and without the root', () => {
  expect(specifiedDirectories(['/var/lib/x/', '/', 'data', '/a/./b', '/data'])).toEqual({
    directories: ['/a/b', '/data', '/var/lib/x'],
  });
  expect(specifiedDirectories(['/'])).toEqual({});
});

it('volumes of old records that no directory can be made of are passed over', () => {
  expect(volumeDirectories({ volumes: ['', 'a\0b', 'x'.repeat(5000)] })).toEqual({});
});

it.each([
  ['more than the agent makes', Array.from({ length: 257 }, (_, index) => `/v${index}`)],
  ['an empty path', ['']],
  ['a NUL', ['/a\0b']],
  ['a path that is too long', [`/${'x'.repeat(4096)}`]],
])('an image with %s is refused', (_, volumes) => {
  expect(() => checkVolumes(volumes)).toThrow(expect.objectContaining({ code: 'invalid-image' }));
});

it('paths are compared without what changes nothing', () => {
  expect(mountPoint('/a/.//b/../c/')).toBe('/a/c');
  expect(mountPoint('/')).toBe('/');
});
