import { fc, it } from '@fast-check/vitest';
import { expect } from 'vitest';
import { cpusetText, parseCpuset } from './cpuset.ts';

it('reads lists and ranges of CPUs, and writes the shortest form', () => {
  expect(parseCpuset('')).toEqual([]);
  expect(parseCpuset('3,0-1,1')).toEqual([0, 1, 3]);
  expect(cpusetText([0, 1, 2, 5, 7, 8])).toBe('0-2,5,7-8');
});

it.each(['-1', '1-', '2-1', 'a', '0,', ',0', '0 1', '8192', '0-99999', '1,,2'])(
  'refuses the cpuset %j in Docker’s words',
  (text) => {
    expect(() => parseCpuset(text)).toThrow(
      expect.objectContaining({
        code: 'invalid-argument',
        message: `Invalid value ${text} for cpuset cpus`,
      }),
    );
  },
);

it.prop([fc.uniqueArray(fc.nat(8191), { minLength: 1 })])(
  'reads back every cpuset that it writes',
  (numbers) => {
    const sorted = numbers.toSorted((a, b) => a - b);
    expect(parseCpuset(cpusetText(sorted))).toEqual(sorted);
  },
);

it.prop([fc.string()])('parses or refuses any string as a cpuset', (text) => {
  try {
    expect(parseCpuset(text).every((each) => each >= 0 && each < 8192)).toBe(true);
  } catch (error) {
    expect(error).toMatchObject({ code: 'invalid-argument' });
  }
});
