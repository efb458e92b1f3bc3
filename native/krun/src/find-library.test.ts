import { describe, expect, it } from 'vitest';
import { KrunError } from './errors.ts';
import { libraryNames } from './find-library.ts';

describe('libraryNames', () => {
  it.each([
    ['krun', 'linux', ['libkrun.so.1']],
    ['krun-sev', 'linux', ['libkrun-sev.so.1']],
    ['krun-tdx', 'linux', ['libkrun-tdx.so.1']],
    ['krun', 'darwin', ['libkrun.1.dylib', 'libkrun.dylib']],
  ] as const)('names the library of %s on %s', (variant, platform, names) => {
    expect(libraryNames(variant, undefined, platform)).toEqual(names);
    expect(libraryNames(variant, '', platform)).toEqual(names);
  });

  it('replaces them by the path that was given', () => {
    expect(libraryNames('krun-sev', '/opt/libkrun.so', 'linux')).toEqual(['/opt/libkrun.so']);
  });

  it('refuses a platform that has no such build', () => {
    expect(() => libraryNames('krun-sev', undefined, 'darwin')).toThrow(KrunError);
    expect(() => libraryNames('krun', undefined, 'aix')).toThrow('there is none for aix');
  });
});
