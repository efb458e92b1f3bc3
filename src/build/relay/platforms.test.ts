import { expect, it } from 'vitest';
import { hostPlatform } from '../../oci/platform.ts';
import { readPlatforms } from './platforms.ts';

it.each([
  ['', []],
  ['linux/amd64', [{ os: 'linux', architecture: 'amd64' }]],
  [
    'linux/arm64/v8, Linux/x86_64',
    [
      { os: 'linux', architecture: 'arm64' },
      { os: 'linux', architecture: 'amd64' },
    ],
  ],
  ['aarch64', [{ os: 'linux', architecture: 'arm64' }]],
  ['linux', [hostPlatform()]],
  ['local', [hostPlatform()]],
  ['a/b/c/d', [{ os: 'a', architecture: 'b' }]],
])('reads the platforms %j', (text, platforms) => {
  expect(readPlatforms(text)).toEqual(platforms);
});
