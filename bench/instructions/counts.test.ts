import { describe, expect, it } from 'vitest';
import { between, parseMarks, total } from './counts.ts';

describe('the counts of a plugin', () => {
  it('reads one line of the plugin for each mark, and counts a step between two marks', () => {
    const [before, after, ...rest] = parseMarks('1 2 3 4 5\n11 22 33 44 6\n');
    if (before === undefined || after === undefined) throw new Error('two lines are two marks');
    expect(rest).toEqual([]);
    const step = between(before, after);
    expect(step).toEqual({
      ...{ hostUser: 10, hostKernel: 20, guestUser: 30, guestKernel: 40, entries: 1 },
    });
    expect(total(step)).toBe(100);
  });

  it('refuses a line of the plugin that is cut short or has no numbers', () => {
    expect(() => parseMarks('1 2 3\n')).toThrow('not a line of the plugin: 1 2 3');
    expect(() => parseMarks('1 2 3 4 x\n')).toThrow('not a line of the plugin');
  });
});
