import { expect, it } from 'vitest';
import { PIN_SECONDS } from '../packet-rules.ts';
import { pinMessage } from './sets.ts';

const SETS = ['p0r0', 'p0r2'];

it('names an address, the set and the time by their numbers', () => {
  const message = pinMessage(SETS, { set: 'p0r2', address: 0x0102_0304, seconds: 125 });
  expect(message.toString('hex')).toBe('0102030400010002');
  const six = pinMessage(SETS, { set: 'p0r0', address: 1n, seconds: 35 });
  expect(six.toString('hex')).toBe(`${'0'.repeat(31)}100000000`);
  expect(PIN_SECONDS[2]).toBe(125);
});

it('throws where the packet filter has no such set or time', () => {
  const known = { set: 'p0r0', address: 1, seconds: 35 };
  expect(() => pinMessage(SETS, { ...known, set: 'p1r0' })).toThrow('has no set p1r0');
  expect(() => pinMessage(SETS, { ...known, seconds: 36 })).toThrow('has no time of 36 seconds');
});
