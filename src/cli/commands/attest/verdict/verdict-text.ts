/**
 * A verdict for people: every check, and the conclusion.
 *
 * @module
 */
import { printable } from '../../../client/failure.ts';
import { wrap } from '../../../output/wrap.ts';
import { nextStep } from './next-step.ts';
import type { Sources, Verdict, VerdictCheck } from './verdict.ts';

export const SIMULATED_BANNER = '*** SIMULATED EVIDENCE: no hardware vouches for any of this ***\n';

const MARKS = { passed: '✓', failed: '✗', skipped: '-' } as const;
const TITLES = { verify: 'Verification', policy: 'Policy' } as const;

/** By stage: code → the fact that is established once the check has passed. */
export type Meanings = Readonly<Record<VerdictCheck['stage'], Readonly<Record<string, string>>>>;

/** The reason of a verification's refusal, and the remedy. */
export interface Refusal {
  readonly message: string;
  readonly remedy: string | undefined;
}

/** @param refusal of the verification, where that refused */
export function describeVerdict(verdict: Verdict, meanings: Meanings, refusal?: Refusal): string {
  const sections = (['verify', 'policy'] as const).map((stage) => {
    const lines =
      stage === 'policy' && refusal !== undefined
        ? ['  - not looked at: the evidence is not verified']
        : checkTable(
            verdict.checks.filter((check) => check.stage === stage),
            meanings[stage],
          );
    return `${TITLES[stage]}\n${lines.join('\n')}\n`;
  });
  const banner = verdict.simulated === true ? SIMULATED_BANNER : '';
  const tail = conclusion(verdict, meanings, refusal).join('\n');
  const text = [...sections, sourceLines(verdict.sources), tail].join('\n');
  return printable(`${banner}${text}\n`);
}

/** Columns of a terminal. */
const WIDTH = 80;
/** The lengths of the expected and the found value. */
const FACT_INDENT = 6;

/** A line for each check: its result, and the fact that it establishes. */
export function checkTable(
  checks: readonly Omit<VerdictCheck, 'stage'>[],
  meanings: Readonly<Record<string, string>>,
): readonly string[] {
  const codes = checks.map(({ verdict, code }) => `  ${MARKS[verdict]} ${code}`);
  const indent = Math.max(...codes.map(({ length }) => length)) + 2;
  return checks.flatMap((check, index) => [
    ...hanging(`${codes[index]}`.padEnd(indent), meanings[check.code] ?? check.code),
    ...(check.verdict === 'failed' ? facts(check) : []),
  ]);
}

function facts({ expected, actual }: Omit<VerdictCheck, 'stage'>): readonly string[] {
  const indent = ' '.repeat(FACT_INDENT);
  return [
    ...(expected === undefined ? [] : hanging(`${indent}expected: `, oneLine(expected))),
    ...(actual === undefined ? [] : hanging(`${indent}actual:   `, oneLine(actual))),
  ];
}

/** All lines of a text with several lines have the same indent. */
function hanging(start: string, text: string): readonly string[] {
  return wrap(text, WIDTH - start.length).map(
    (line, index) => `${index === 0 ? start : ' '.repeat(start.length)}${line}`,
  );
}

/** Values of the evidence may contain characters that lay out a table. */
function oneLine(text: string): string {
  return text.replaceAll(/\s/g, ' ');
}

function sourceLines({ format, vek, crl, reportData }: Sources): string {
  return [
    `Evidence:         ${format}`,
    `Endorsement key:  ${vek === null ? 'none' : `from ${vek}`}`,
    `Revocation list:  ${crl === null ? 'none' : `from ${crl}`}`,
    ...(reportData === null ? [] : [`Report data:      as ${reportData} says`]),
    '',
  ].join('\n');
}

function conclusion(verdict: Verdict, meanings: Meanings, refusal?: Refusal): readonly string[] {
  const [first, ...others] = verdict.checks.filter((check) => check.verdict === 'failed');
  if (first === undefined) {
    const word = verdict.simulated === true ? 'Accepted as SIMULATED evidence' : 'Accepted';
    return [`${word}: it is verified, and all that the policy asks for holds.`];
  }
  const { stage, code } = first;
  const more = others.length === 0 ? '' : ` and ${others.length} more`;
  const reason = refusal?.message ?? `it does not hold that ${meanings[stage][code] ?? code}.`;
  return [`Rejected (${code}${more}): ${reason}`, refusal?.remedy ?? nextStep(stage, code)];
}
