/**
 * An explanation of a launch digest for people.
 *
 * @module
 */
import { printable } from '../../client/failure.ts';
import { alignColumns } from '../../output/table.ts';
import type { Library } from './load-library.ts';

type Explanation = ReturnType<Library['explain']>;
type Input = Explanation['inputs'][number];

const MARKS = { same: '✓', differs: '✗', unknown: '?' } as const;

const RECORDS = {
  absent: [],
  confirmed: ["The host's launch record gives the actual digest."],
  refuted: ["The host's launch record does not give the actual digest."],
} as const;

export function describeExplanation(explanation: Explanation): string {
  const { expected, actual, inputs, record, tried, conclusion } = explanation;
  const lines = [
    `expected digest  ${expected}`,
    `actual digest    ${actual}`,
    '',
    alignColumns(['  INPUT\tEXPECTED', ...inputs.flatMap(inputLines)]),
    ...RECORDS[record],
    ...(tried.length === 0 ? [] : ['Tried:', ...tried.map(triedLine)]),
    conclusion,
    ...(mayHaveKernel(explanation) ? ['Say so with --kernel, --initrd and --append.'] : []),
  ];
  return printable(`${lines.join('\n')}\n`);
}

/** Whether the launch may have had a kernel that no input names. */
function mayHaveKernel({ matches, cause, inputs }: Explanation): boolean {
  const expected = inputs.find(({ name }) => name === 'kernel')?.expected;
  return !matches && cause === undefined && expected === 'none';
}

/** Values are long, so the found value is printed below. */
function inputLines({ name, expected, actual, verdict }: Input): readonly string[] {
  const line = `${MARKS[verdict]} ${name}\t${oneLine(expected)}`;
  return verdict === 'differs' ? [line, `\tactual: ${oneLine(actual ?? 'unknown')}`] : [line];
}

function oneLine(text: string): string {
  return text.replaceAll(/\s/g, ' ');
}

function triedLine({ what, count }: Explanation['tried'][number]): string {
  return `- ${what}${count === 1 ? '' : ` (${count})`}`;
}
