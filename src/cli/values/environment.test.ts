import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parseEnvironment, readEnvironmentFile, readLabelFile, toMap } from './environment.ts';

const directory = mkdtempSync(join(tmpdir(), 'a3s-env-'));
const path = join(directory, 'env');
afterAll(() => rmSync(directory, { recursive: true }));

const read = (content: string | Buffer): readonly string[] => {
  writeFileSync(path, content);
  return readEnvironmentFile(path, { SET: 'value', EMPTY: '' });
};

describe('an environment file', () => {
  it.each([
    ['A=1\r\nB=2', ['A=1', 'B=2']],
    ['\u{feff}A=1\n', ['A=1']],
    ['# comment\n  # another\n\n   \nA=1 # no comment', ['A=1 # no comment']],
    ['A="x y"\nB=\'z\'', ['A="x y"', "B='z'"]],
    ['A=b=c', ['A=b=c']],
    ['A=', ['A=']],
    [' \t A= spaces kept ', ['A= spaces kept ']],
    ['SET\nUNSET\nEMPTY', ['SET=value', 'EMPTY=']],
    ['A=$SET', ['A=$SET']],
    ['ключ=значение', ['ключ=значение']],
  ])('reads the environment file %j', (content, entries) => expect(read(content)).toEqual(entries));

  it.each([
    ['A B=1', "variable 'A B' contains whitespaces"],
    ['=1', "no variable name on line '=1'"],
    [Buffer.from([0x41, 0x3d, 0xff]), 'invalid UTF-8'],
  ])('refuses the environment file %j', (content, message) =>
    expect(() => read(content)).toThrow(message),
  );

  it('refuses a missing environment file', () => {
    expect(() => readEnvironmentFile(join(directory, 'none'), {})).toThrow(
      'no such file or directory',
    );
    expect(() => readEnvironmentFile(directory, {})).toThrow('EISDIR');
  });
});

describe('labels', () => {
  it('reads labels without values, and prefers the last one of a name', () => {
    writeFileSync(path, 'a\nb=1\nb=2=3\n');
    expect(toMap(readLabelFile(path))).toEqual({ a: '', b: '2=3' });
  });
});

describe('parseEnvironment', () => {
  it('takes the value of a bare variable from the caller', () => {
    expect(parseEnvironment('A', { A: 'x' })).toBe('A=x');
    expect(parseEnvironment('A', {})).toBeUndefined();
    expect(parseEnvironment('A=', { A: 'x' })).toBe('A=');
    expect(() => parseEnvironment('', {})).toThrow(RangeError);
  });
});
