import { expect, it } from 'vitest';
import type { TmpfsMount } from '../record/tmpfs.ts';
import { checkVolumes, mountPoint, specifiedDirectories, volumeDirectories } from './volumes.ts';

const shortTmpfs = (path: string): TmpfsMount => ({
  ...{ destination: mountPoint(path), readonly: false, flags: [] },
  asked: { form: 'short', path, options: '' },
});
const bind = (destination: string) => ({ source: '/tmp', destination, readonly: false });

it('makes a directory for each volume once, except for volumes covered by a bind mount', () => {
  const volumes = ['/data', '/data/', 'relative', '/a/../b', '/bound/', '/'];
  expect(volumeDirectories({ volumes, binds: [bind('/bound')] })).toEqual({
    directories: ['/data', '/relative', '/b', '/'],
  });
  expect(volumeDirectories({ volumes: ['/bound'], binds: [bind('/bound')] })).toEqual({});
  expect(volumeDirectories({})).toEqual({});
});

it('sorts the directories of a launch spec, without duplicates and without the root', () => {
  expect(specifiedDirectories(['/var/lib/x/', '/', 'data', '/a/./b', '/data'], [])).toEqual({
    directories: ['/a/b', '/data', '/var/lib/x'],
  });
  expect(specifiedDirectories(['/'], [])).toEqual({});
});

it('makes no directory of a volume that a tmpfs replaces', () => {
  const tmpfs = [shortTmpfs('/data/')];
  expect(volumeDirectories({ volumes: ['/data', '/log'], tmpfs })).toEqual({
    directories: ['/log'],
  });
  expect(specifiedDirectories(['/data'], tmpfs)).toEqual({});
});

it('skips volumes in old records that cannot become directories', () => {
  expect(volumeDirectories({ volumes: ['', 'a\0b', 'x'.repeat(5000)] })).toEqual({});
});

it.each([
  ['more than the agent makes', Array.from({ length: 257 }, (_, index) => `/v${index}`)],
  ['an empty path', ['']],
  ['a NUL', ['/a\0b']],
  ['a path that is too long', [`/${'x'.repeat(4096)}`]],
])('refuses an image that declares %s as volumes', (_, volumes) => {
  expect(() => checkVolumes(volumes)).toThrow(expect.objectContaining({ code: 'invalid-image' }));
});

it('normalizes mount points for comparison', () => {
  expect(mountPoint('/a/.//b/../c/')).toBe('/a/c');
  expect(mountPoint('/')).toBe('/');
});
