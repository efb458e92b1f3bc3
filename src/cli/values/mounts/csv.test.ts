import { describe, expect, it } from 'vitest';
import { parseCsvRecord } from './csv.ts';

describe('parseCsvRecord', () => {
  it.each([
    ['a=1', ['a=1']],
    ['a,b', ['a', 'b']],
    ['a,', ['a', '']],
    [',', ['', '']],
    ['"a,b",c', ['a,b', 'c']],
    ['a,"b ""c"""', ['a', 'b "c"']],
    ['""', ['']],
    ['"a\nb",c', ['a\nb', 'c']],
    [' a, b', [' a', ' b']],
    ['\n\r\na,b\nc', ['a', 'b']],
    ['"a"\nb', ['a']],
    ['a\r', ['a']],
  ])('reads %j as %j', (text, fields) => expect(parseCsvRecord(text)).toEqual(fields));

  it.each([
    ['', 'EOF'],
    ['\n', 'EOF'],
    ['a"b', 'parse error on line 1, column 2: bare " in non-quoted-field'],
    ['é"', 'parse error on line 1, column 3: bare " in non-quoted-field'],
    ['"a', 'parse error on line 1, column 3: extraneous or missing " in quoted-field'],
    ['"a"b', 'parse error on line 1, column 3: extraneous or missing " in quoted-field'],
    ['"a\nb"c', 'parse error on line 2, column 2: extraneous or missing " in quoted-field'],
  ])('refuses the fields %j', (text, why) =>
    expect(() => parseCsvRecord(text)).toThrow(new RangeError(why)),
  );
});
