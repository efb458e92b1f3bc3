/**
 * A verdict for people: every check, and what follows.
 *
 * @module
 */
import { printable } from '../../client/failure.ts';
import { alignColumns } from '../../output/table.ts';
import { nextStep } from './next-step.ts';
import type { Sources, Verdict, VerdictCheck } from './verdict.ts';

export const SIMULATED_BANNER = '*** SIMULATED EVIDENCE: no hardware vouches for any of this ***\n';

const MARKS = { passed: '✓', failed: '✗', skipped: '-' } as const;
const TITLES = { verify: 'Verification', policy: 'Policy' } as const;

/** By stage: code → what holds once the check has passed. */
export type Meanings = Readonly<Record<VerdictCheck['stage'], Readonly<Record<string, string>>>>;

/** What a verification says of why it refused, and what to do next. */
export interface Refusal {
  readonly message: string;
  readonly remedy: string | undefined;
}

/** @param refusal of the verification, where that refused */
export function describeVerdict(verdict: Verdict, meanings: Meanings, refusal?: Refusal): string {
  const { checks } = verdict;
  const sections = (['verify', 'policy'] as const).map((stage) => {
    const rows = checks.filter((check) => check.stage === stage);
    const lines = rows.flatMap((check) => checkLines(check, meanings));
    return `${TITLES[stage]}\n${alignColumns(lines)}`;
  });
  const banner = verdict.simulated === true ? SIMULATED_BANNER : '';
  const tail = conclusion(verdict, meanings, refusal).join('\n');
  const text = [...sections, sourceLines(verdict.sources), tail].join('\n');
  return printable(`${banner}${text}\n`);
}

function checkLines(
  { stage, code, verdict, expected, actual }: VerdictCheck,
  meanings: Meanings,
): readonly string[] {
  const line = `  ${MARKS[verdict]} ${code}\t${meanings[stage][code] ?? code}`;
  if (verdict !== 'failed') return [line];
  const facts = [
    ...(expected === undefined ? [] : [`expected: ${oneLine(expected)}`]),
    ...(actual === undefined ? [] : [`actual:   ${oneLine(actual)}`]),
  ];
  return [line, ...facts.map((fact) => `\t  ${fact}`)];
}

/** Values of the evidence may hold what lays out a table. */
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
