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
  ])('takes %j for %j', (key, known) => {
    expect(nearKey(key, KNOWN)).toBe(known);
  });

  it('prefers what is nearer, and of equals the first', () => {
    expect(nearKey('minTcb', ['minTcbs', 'minTcb'])).toBe('minTcb');
    expect(nearKey('abcdefx', ['abcdefy', 'abcdefz'])).toBe('abcdefy');
  });

  it('does not look at a key of any length', () => {
    expect(nearKey('allowDebug'.padEnd(1_000_000, 'x'), KNOWN)).toBeUndefined();
  });
});
