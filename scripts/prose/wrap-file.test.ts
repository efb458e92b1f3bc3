import { expect, it } from 'vitest';
import { wrapFile } from './wrap-file.ts';

/** Words of three letters: 24 of them and the blanks between them have 95 columns. */
const words = (count: number): string => Array(count).fill('abc').join(' ');
const LONG = words(40);

/** Wraps a file, and expects that the result stays as it is. */
function wrap(path: string, ...lines: string[]): string[] {
  const once = wrapFile(path, lines.join('\n'));
  expect(wrapFile(path, once)).toBe(once);
  return once.split('\n');
}

/** Expects that a file is left as it is. */
function keeps(path: string, ...lines: string[]): void {
  expect(wrap(path, ...lines)).toEqual(lines);
}

it('wraps a line comment at 100 columns, with its indentation', () => {
  expect(wrap('a.ts', `  // ${LONG}`, '  f();')).toEqual([
    `  // ${words(24)}`,
    `  // ${words(16)}`,
    '  f();',
  ]);
});

it('fills a paragraph anew when one of its lines is too long, and leaves others alone', () => {
  expect(wrap('a.ts', '// short', '// lines', '//', `// ${LONG}`, '// end')).toEqual([
    ...['// short', '// lines', '//'],
    `// ${words(24)}`,
    `// ${words(16)} end`,
  ]);
});

it('makes several lines of a block comment in one line, each tag in its own', () => {
  const line = `/** ${words(20)}. @param a ${words(4)} @throws Error */`;
  expect(wrap('a.ts', line, 'f();')).toEqual([
    ...['/**', ` * ${words(20)}.`, ' *', ` * @param a ${words(4)}`, ' * @throws Error', ' */'],
    'f();',
  ]);
});

it('counts the end of a block comment in one line', () => {
  const fits = `/** ${words(23)} ab */`;
  expect(fits).toHaveLength(101);
  expect(wrap('a.ts', fits, 'f();')).toEqual(['/**', ` * ${words(23)} ab`, ' */', 'f();']);
  keeps('a.go', `\t/* ${words(22)} */`);
  keeps('a.ts', `/** ${words(23)} a */`, 'f();');
  keeps('a.ts', `/* biome-ignore lint/x: ${words(19)} */`);
});

it('keeps the indentation of the lines that continue a tag or an item of a list', () => {
  expect(wrap('a.ts', '/**', ` * @throws ${LONG}`, ' *   end', ` * - ${LONG}`, ' */')).toEqual([
    ...['/**', ` * @throws ${words(22)}`, ` *   ${words(18)} end`],
    ...[` * - ${words(24)}`, ` *   ${words(16)}`, ' */'],
  ]);
});

it.each([
  ['code behind a comment', `f(); // ${LONG}`],
  ['a text that looks like a comment', `const a = \`\n// ${LONG}\n\`;`],
  ['a regular expression that looks like a comment', `a = /[/]/ + '// ${LONG}';`],
  ['a directive', `// biome-ignore lint/x: ${LONG}`],
  ['a directive without a blank', `//go:${LONG}`],
  ['a drawing', `// ├── ${LONG}`],
  ['a table', `// | ${LONG}`],
  ['aligned columns', `//   a   ${LONG}`],
  ['code in a comment', `/**\n * \`\`\`\n * ${LONG}\n * \`\`\`\n */`],
  ['an example', `/**\n * @example\n * ${LONG}\n */`],
  ['a word that is too long', `// https://example.com/${'a'.repeat(100)}`],
])('leaves %s alone', (_, text) => {
  keeps('a.ts', ...text.split('\n'));
});

it('breaks no code span, and begins no line with what would be a list or a tag', () => {
  const line = `// ${words(24)} \`a b\` ${words(23)} - ${words(20)} @tag`;
  expect(wrap('a.ts', line)).toEqual([
    `// ${words(24)}`,
    `// \`a b\` ${words(22)}`,
    `// abc - ${words(20)} @tag`,
  ]);
});

it('wraps comments of Go and C, and no text of theirs', () => {
  expect(wrap('a.go', `\t// ${LONG}`)).toEqual([`\t// ${words(23)}`, `\t// ${words(17)}`]);
  keeps('a.go', 'var a = `', `// ${LONG}`, '`');
  keeps('a.c', `char *a = "// ${LONG}";`);
});

it('wraps comments of shell scripts and YAML, except in texts', () => {
  expect(wrap('a.sh', `# ${LONG}`)).toEqual([`# ${words(24)}`, `# ${words(16)}`]);
  keeps('a.sh', "cat <<'END'", `# ${LONG}`, 'END');
  keeps('a.yaml', 'run: |', `  # ${LONG}`);
  keeps('a.sh', `#!/bin/sh ${LONG}`);
});

it('wraps paragraphs and lists of a document, and paragraphs within lists', () => {
  expect(wrap('a.md', LONG, '', `- ${LONG}`, '  end', '', `  ${LONG}`)).toEqual([
    ...[words(25), words(15), ''],
    ...[`- ${words(24)}`, `  ${words(16)} end`, ''],
    ...[`  ${words(24)}`, `  ${words(16)}`],
  ]);
});

it.each([
  ['a table', `| ${LONG} |`],
  ['a heading', `# ${LONG}`],
  ['indented code', `    ${LONG}`],
  ['fenced code', `\`\`\`\n${LONG}\n\`\`\``],
  ['a comment', `<!--\n${LONG}\n-->`],
])('leaves %s of a document alone', (_, text) => {
  keeps('a.md', ...text.split('\n'));
});

it('leaves generated documents and files of other kinds alone', () => {
  keeps('docs/cli.md', LONG);
  keeps('a.json', `"// ${LONG}"`);
});
