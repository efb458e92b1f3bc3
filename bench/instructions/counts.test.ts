import { describe, expect, it } from 'vitest';
import { between, parseMarks, total } from './counts.ts';

describe('the counts of a plugin', () => {
  it('are one line for each mark, of which two make a step', () => {
    const [before, after, ...rest] = parseMarks('1 2 3 4 5\n11 22 33 44 6\n');
    if (before === undefined || after === undefined) throw new Error('two lines are two marks');
    expect(rest).toEqual([]);
    const step = between(before, after);
    expect(step).toEqual({
      ...{ hostUser: 10, hostKernel: 20, guestUser: 30, guestKernel: 40, entries: 1 },
    });
    expect(total(step)).toBe(100);
  });

  it('are refused where a line is cut short or is no number', () => {
    expect(() => parseMarks('1 2 3\n')).toThrow('not a line of the plugin: 1 2 3');
    expect(() => parseMarks('1 2 3 4 x\n')).toThrow('not a line of the plugin');
  });
});
