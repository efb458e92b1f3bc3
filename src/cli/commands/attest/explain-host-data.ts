/**
 * Explains why HOST_DATA of a report differs from the expected one: which field of the launch spec
 * differs.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { hostDataOf } from '@a3s-box/policies/host-data';
import { printable } from '../../client/failure.ts';
import { isObject } from '../../client/json.ts';
import type { Library } from './load-library.ts';

export interface HostDataExplanation {
  readonly matches: boolean;
  /** HOST_DATA of the expected spec. */
  readonly expected: string;
  readonly actual: string;
  /** Whether the host's spec has the actual HOST_DATA. If not, it is not the spec of the box. */
  readonly record: 'absent' | 'confirmed' | 'refuted';
  /** Present only for a confirmed spec. */
  readonly differences: ReturnType<Library['differingFields']>;
  readonly conclusion: string;
}

/** The most columns of a value. */
const MAX_VALUE = 160;

/**
 * @param actual HOST_DATA of the report, 64 hexadecimal digits
 * @param claimed text of the box's spec from its host; untrusted, and used only if `actual` belongs
 * to it
 */
export function explainHostData(
  library: Library,
  expectedSpec: string,
  actual: string,
  claimed: string | undefined,
): HostDataExplanation {
  const expected = hostDataOfText(expectedSpec);
  const frame = { matches: expected === actual, expected, actual, differences: [] };
  const record =
    claimed === undefined ? 'absent' : hostDataOfText(claimed) === actual ? 'confirmed' : 'refuted';
  if (frame.matches) return { ...frame, record, conclusion: SAME };
  if (claimed === undefined || record !== 'confirmed') {
    return { ...frame, record, conclusion: record === 'refuted' ? REFUTED : ASK };
  }
  const differences = library.differingFields(JSON.parse(expectedSpec), JSON.parse(claimed));
  const fields = differences.map(({ path }) => path).join(', ');
  const conclusion =
    fields === ''
      ? OTHER_BYTES
      : `The launch spec is another in: ${fields}. Trust it, or run the box as it was measured.`;
  return { ...frame, record, differences, conclusion };
}

const SAME = 'HOST_DATA is the expected one: the launch spec is as expected, byte for byte.';
const ASK =
  "The launch spec is another. Ask the host for the box's launch, and give it with --record: then each field that differs is named.";
const REFUTED =
  "The host's launch spec does not give this HOST_DATA: it is not the one of the box. Ask the host for that.";
const OTHER_BYTES =
  'The launch specs say the same in other bytes, of which no box takes those that are not canonical: measure the box anew.';

/** For people. */
export function describeHostData(explanation: HostDataExplanation): string {
  const { expected, actual, differences, conclusion } = explanation;
  const lines = [
    `expected HOST_DATA  ${expected}`,
    `actual HOST_DATA    ${actual}`,
    '',
    ...differences.flatMap(({ path, expected: wanted, actual: found }) => [
      `✗ ${path}`,
      `    expected: ${shortened(wanted)}`,
      `    actual:   ${shortened(found)}`,
    ]),
    conclusion,
  ];
  return printable(`${lines.join('\n')}\n`);
}

function shortened(value: string | undefined): string {
  if (value === undefined) return 'nothing';
  return value.length > MAX_VALUE ? `${value.slice(0, MAX_VALUE)}…` : value;
}

function hostDataOfText(text: string): string {
  const digest = createHash('sha256').update(text).digest('hex');
  return hostDataOf(digest, isPrivileged(text));
}

/** Text that is no launch spec is of no privileged box. */
function isPrivileged(text: string): boolean {
  try {
    const spec: unknown = JSON.parse(text);
    return (
      isObject(spec) && isObject(spec['confinement']) && spec['confinement']['privileged'] === true
    );
  } catch {
    return false;
  }
}
