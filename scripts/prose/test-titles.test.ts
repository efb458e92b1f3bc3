import { expect, it } from 'vitest';
import { titlesWithoutSubject } from './test-titles.ts';

const found = (...lines: string[]) => titlesWithoutSubject(lines.join('\n'));

it.each(['is', 'are', 'has', 'have', 'had', 'was', 'were', 'may', 'can', 'do', 'does', 'did'])(
  'refuses a title that begins with %s',
  (verb) => {
    expect(found(`it('${verb} that', () => {});`)).toEqual([{ line: 1, text: `${verb} that` }]);
  },
);

it.each([
  ['a title that begins with another verb', "it('refuses what is not signed', () => {});"],
  ['a title that denies an action', "it('does not start a box', () => {});"],
  ['a longer word', "it('issues a token', () => {});"],
  ['the title of a group', "describe('is told', () => {});"],
  ['a call of another function', "/a/.test('is it'), fit('is it'), say.it('is it');"],
  ['a text in code', "const code = `it('is told')`;"],
])('accepts %s', (_, text) => {
  expect(found(text)).toEqual([]);
});

it('reads every form of a test and of a title', () => {
  expect(
    found(
      "it.each(['a'])('is %s', () => {});",
      "describe('a', () => {",
      '  test.skipIf(no)(',
      `    \`is \${told}\`,`,
      '    () => {},',
      '  );',
      '  it.each`a`("has it", () => {});',
      '});',
    ),
  ).toEqual([
    { line: 1, text: 'is %s' },
    { line: 4, text: `is \${told}` },
    { line: 7, text: 'has it' },
  ]);
});
