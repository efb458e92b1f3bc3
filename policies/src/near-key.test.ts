import { describe, expect, it } from 'vitest';
import { nearKey } from './near-key.ts';

const KNOWN = ['allowDebug', 'allowSmt', 'minGuestSvn', 'maxAgeDays', 'vmpl'];

describe('nearKey', () => {
  it.each([
    ['alowDebug', 'allowDebug'],
    ['allowDebugs', 'allowDebug'],
    ['allowdebug', 'allowDebug'],
    ['allow_debug', 'allowDebug'],
    ['min-guest-svn', 'minGuestSvn'],
    ['maxAge', 'maxAgeDays'],
    ['vpml', undefined],
    ['vmp', 'vmpl'],
    ['allowSnp', 'allowSmt'],
    ['debug', undefined],
    ['', undefined],
  ])('corrects the unknown key %j to %j', (key, known) => {
    expect(nearKey(key, KNOWN)).toBe(known);
  });

  it('prefers the nearest known key, and the first of equally near ones', () => {
    expect(nearKey('minTcb', ['minTcbs', 'minTcb'])).toBe('minTcb');
    expect(nearKey('abcdefx', ['abcdefy', 'abcdefz'])).toBe('abcdefy');
  });

  it('ignores a key that is far longer than any known key', () => {
    expect(nearKey('allowDebug'.padEnd(1_000_000, 'x'), KNOWN)).toBeUndefined();
  });
});
