import { describe, expect, it } from 'vitest';
import { ellipsis, humanDuration, humanMemory, humanSize } from './human.ts';
import { alignColumns } from './table.ts';

describe('humanSize', () => {
  it.each([
    [0, '0B'],
    [999, '999B'],
    [1000, '1kB'],
    [4_261_502, '4.26MB'],
    [1.5e9, '1.5GB'],
  ])('formats %d bytes in decimal units', (bytes, text) => expect(humanSize(bytes)).toBe(text));
  it('formats memory in binary units', () => expect(humanMemory(2_087_247_872)).toBe('1.944GiB'));
});

describe('humanDuration', () => {
  const S = 1000;
  it.each([
    [0, 'Less than a second'],
    [1.9 * S, '1 second'],
    [59 * S, '59 seconds'],
    [61 * S, 'About a minute'],
    [120 * S, '2 minutes'],
    [3600 * S, 'About an hour'],
    [47 * 3600 * S, '47 hours'],
    [48 * 3600 * S, '2 days'],
    [14 * 86400 * S, '2 weeks'],
    [60 * 86400 * S, '2 months'],
    [800 * 86400 * S, '2 years'],
  ])('formats %d milliseconds as a duration', (milliseconds, text) =>
    expect(humanDuration(milliseconds)).toBe(text),
  );
});

describe('alignColumns', () => {
  it('separates columns by three blanks, at least ten wide, and does not pad the last', () => {
    expect(alignColumns(['A\tLONG HEADER\tC', 'x\ty\tz', 'a value that is wide\t\t'])).toBe(
      'A                      LONG HEADER   C\n' +
        'x                      y             z\n' +
        'a value that is wide                 \n',
    );
    expect(alignColumns(['A\tB', 'é\tü'])).toBe('A         B\né         ü\n');
  });
});

it('truncates characters, not code units', () => {
  expect(ellipsis('abcdef', 4)).toBe('abc…');
  expect(ellipsis('😀😀😀', 3)).toBe('😀😀😀');
});
