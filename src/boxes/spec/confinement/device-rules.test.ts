import { describe, expect, it } from 'vitest';
import { readDeviceRule } from './device-rules.ts';

describe('a rule for devices', () => {
  it.each([
    ['c 10:229 rwm', { kind: 'char', major: 10, minor: 229, access: 'rwm' }],
    ['b *:3 r', { kind: 'block', minor: 3, access: 'r' }],
    ['a *:* rwm', { kind: 'all', access: 'rwm' }],
    ['c 7:* wr', { kind: 'char', major: 7, access: 'wr' }],
  ])('reads %j', (text, rule) => {
    expect(readDeviceRule(text)).toEqual(rule);
  });

  it.each(['', 'c 1:3', 'c 1:3 rwx', 'c 1:3 rwmr', 'd 1:3 r', 'c -1:3 r', 'c 1 3 r', 'c 1:3 r\n'])(
    'refuses %j in the words of Docker',
    (text) => {
      expect(() => readDeviceRule(text)).toThrow(
        expect.objectContaining({
          ...{ code: 'invalid-argument' },
          message: `invalid device cgroup rule format: '${text}'`,
        }),
      );
    },
  );

  it('refuses a number that no device has', () => {
    expect(() => readDeviceRule('c 1:99999999999 r')).toThrow(
      "invalid minor value in device cgroup rule format: 'c 1:99999999999 r'",
    );
  });
});
