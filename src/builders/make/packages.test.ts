import { expect, it } from 'vitest';
import { parsePackages } from './packages.ts';

const SHA = 'a'.repeat(64);
const SHOWN = `Package: git
Version: 1:2.47.3-0+deb13u1
Description: x
 Package: no-field
Size: 12
SHA256: ${SHA}

Package: git
Version: 1:2.47.2-0
Size: 12
SHA256: ${'b'.repeat(64)}

Package: zlib1g
Version: 1:1.3
Size: 3
SHA256: ${'c'.repeat(64)}
`;

it('takes the versions that were asked for, in the order of their names', () => {
  expect(parsePackages(SHOWN, ['zlib1g=1:1.3', 'git=1:2.47.3-0+deb13u1'])).toEqual([
    { package: 'git', version: '1:2.47.3-0+deb13u1', size: 12, sha256: SHA },
    { package: 'zlib1g', version: '1:1.3', size: 3, sha256: 'c'.repeat(64) },
  ]);
});

it.each([
  ['that apt does not know', SHOWN, 'git=1'],
  ['without a SHA-256', SHOWN.replace('SHA256: c', 'SHA1: c'), 'zlib1g=1:1.3'],
  ['whose SHA-256 is none', SHOWN.replace('SHA256: c', 'SHA256: x'), 'zlib1g=1:1.3'],
])('refuses a package %s', (_, shown, name) => {
  expect(() => parsePackages(shown, [name])).toThrow(
    expect.objectContaining({ message: expect.stringContaining(`apt has no SHA-256 of ${name}`) }),
  );
});
