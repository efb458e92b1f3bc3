/**
 * Explains why a launch digest differs from the expected one.
 *
 * @module
 */
import { AttestationError } from '../../errors.ts';
import { toHex } from '../../hex.ts';
import { type LaunchInputs, resolveLaunch } from '../inputs.ts';
import { measureLaunch } from '../launch.ts';
import { type LaunchRecord, parseLaunchRecord, recordInputs } from '../launch-record.ts';
import {
  compare,
  type ExplainedInput,
  type InputName,
  type Names,
  quoted,
  type Subject,
} from './figures.ts';
import { Search, type TriedVariants } from './search.ts';
import { capital, describeDifferences, differing, remedies } from './sentences.ts';
import {
  type Artefact,
  artefactNames,
  hashArtefacts,
  type Known,
  triplesOf,
  variantsOf,
  vcpuVariants,
} from './variants.ts';

export type { ExplainedInput, InputName } from './figures.ts';
export type { TriedVariants } from './search.ts';
export type { Artefact } from './variants.ts';

/** The inputs and the bound of a search for the cause. */
export interface ExplainOptions {
  /** What the host says that it launched; untrusted. */
  readonly record?: LaunchRecord | undefined;
  /** Files and command lines that may have been launched instead; at most 64. */
  readonly artefacts?: readonly Artefact[] | undefined;
  /** Digests to compute at most, 25,000 unless given. */
  readonly maxVariants?: number | undefined;
}

/** The reason why the digest differs, as far as it can be found. */
export interface Cause {
  /** From the launch record, or by trying. Either way the inputs were seen to give the digest. */
  readonly source: 'record' | 'variant';
  readonly inputs: readonly InputName[];
  readonly text: string;
}

/** How a digest comes about, input by input. */
export interface Explanation {
  readonly matches: boolean;
  /** The digest of the expected inputs, as hexadecimal. */
  readonly expected: string;
  readonly actual: string;
  readonly inputs: readonly ExplainedInput[];
  /**
   * Whether the host's record gives the actual digest. One that does not is wrong or incomplete.
   */
  readonly record: 'absent' | 'confirmed' | 'refuted';
  readonly cause?: Cause;
  readonly tried: readonly TriedVariants[];
  /** Nothing was left to try; false where a cause was found before, or `maxVariants` reached. */
  readonly exhausted: boolean;
  /** A summary in a few sentences, with the remedy. */
  readonly conclusion: string;
}

const MAX_ARTEFACTS = 64;
const DEFAULT_VARIANTS = 25_000;

/**
 * Names the inputs that make a launch digest differ from the expected one.
 *
 * A launch record is believed only if it gives the actual digest. Without such a record, launches
 * that differ in one or two inputs, or in three that often change together, are tried in a fixed
 * order. A launch that gives the digest *is* the measured launch, since SHA-384 has no known
 * collisions, so a cause is never a guess.
 *
 * @param inputs - the launch that was expected
 * @param actual - MEASUREMENT of a report, 96 hexadecimal digits
 * @throws AttestationError as `measureOvmf` does; `measure-input` for a malformed digest;
 *   `launch-record-malformed`
 * @throws RangeError too many artefacts, or a bound that is no positive integer
 */
export function explain(
  inputs: LaunchInputs,
  actual: string,
  options: ExplainOptions = {},
): Explanation {
  const task = taskOf(inputs, actual, options);
  const expected = toHex(measureLaunch(task.subject));
  const claim = options.record && readClaim(options.record);
  const record = trust(claim, task.actual);
  const frame = { expected, actual: task.actual, record };
  if (expected === task.actual) return { ...frame, ...matching(task) };
  const tried = claim === undefined ? [] : [triedRecord(claim)];
  if (claim !== undefined && record === 'confirmed') {
    return { ...frame, ...explained(task, claim.subject, 'record'), tried, exhausted: false };
  }
  const found = searched(task);
  const remark = record === 'refuted' ? REFUTED : '';
  return {
    ...frame,
    ...found,
    tried: [...tried, ...found.tried],
    conclusion: `${remark}${found.conclusion}`,
  };
}

const REFUTED = "The host's launch record does not give this digest: it is wrong or incomplete. ";

interface Task {
  readonly subject: Subject;
  readonly append: string;
  readonly known: readonly Known[];
  readonly names: Names;
  readonly actual: string;
  readonly maxVariants: number;
}

/** The launch of a record, and its digest. */
interface Claim {
  readonly subject: Subject;
  readonly digest: string;
}

type Finding = Omit<Explanation, 'expected' | 'actual' | 'record'>;

function taskOf(inputs: LaunchInputs, actual: string, options: ExplainOptions): Task {
  const { artefacts = [], maxVariants = DEFAULT_VARIANTS } = options;
  checkArguments(actual, artefacts.length, maxVariants);
  const known = hashArtefacts(artefacts);
  return {
    subject: subjectOf(inputs),
    append: inputs.append ?? '',
    known,
    names: artefactNames(known),
    actual: actual.toLowerCase(),
    maxVariants,
  };
}

function checkArguments(actual: string, artefacts: number, maxVariants: number): void {
  if (artefacts > MAX_ARTEFACTS) throw new RangeError(`more than ${MAX_ARTEFACTS} artefacts`);
  if (!Number.isSafeInteger(maxVariants) || maxVariants < 1) {
    throw new RangeError('maxVariants is a positive integer');
  }
  if (!/^[0-9a-fA-F]{96}$/.test(actual)) {
    throw new AttestationError('measure-input', 'Cannot explain the digest: it is malformed', {
      expected: '96 hexadecimal digits',
      found: `${actual.length} characters`,
      remedy: 'Give MEASUREMENT of the report.',
    });
  }
}

function subjectOf(inputs: LaunchInputs): Subject {
  return { ...resolveLaunch(inputs), cmdline: quoted(inputs.append ?? '') };
}

function readClaim(record: LaunchRecord): Claim {
  const subject = subjectOf(recordInputs(parseLaunchRecord(record)));
  return { subject, digest: toHex(measureLaunch(subject)) };
}

function trust(claim: Claim | undefined, actual: string): Explanation['record'] {
  if (claim === undefined) return 'absent';
  return claim.digest === actual ? 'confirmed' : 'refuted';
}

function triedRecord({ digest }: Claim): TriedVariants {
  return { what: "the host's launch record", count: 1, digest };
}

function matching({ subject, names }: Task): Finding {
  return {
    matches: true,
    inputs: compare(subject, subject, names),
    tried: [],
    exhausted: false,
    conclusion: 'The digest is the expected one: every measured input is as expected.',
  };
}

function searched(task: Task): Finding {
  const search = new Search(task.subject, task.actual, task.maxVariants);
  const changes = variantsOf(task.append, task.known);
  const result = search.run(changes, vcpuVariants(), triplesOf(task.known));
  const { found, tried, complete } = result;
  const outcome =
    found === undefined ? unexplained(task, complete) : explained(task, found, 'variant');
  return { ...outcome, tried, exhausted: complete };
}

type Outcome = Omit<Finding, 'tried' | 'exhausted'>;

function explained(task: Task, found: Subject, source: Cause['source']): Outcome {
  const inputs = compare(task.subject, found, task.names);
  const text = describeDifferences(inputs);
  return {
    matches: false,
    inputs,
    cause: { source, inputs: differing(inputs).map(({ name }) => name), text },
    conclusion: `${capital(text)}. ${remedies(inputs)}`,
  };
}

const NO_KERNEL =
  'The expected launch has no kernel: if the guest was launched with kernel hashes, expect its kernel, initrd and command line too.';
const ASK =
  'Ask the host for its launch record, and hand over the firmware, kernels, initrds and command lines that it may have launched.';

function unexplained(task: Task, complete: boolean): Outcome {
  const why = complete
    ? 'No launch that differs in one or two of the inputs gives this digest.'
    : `None of the ${task.maxVariants} launches that were tried gives this digest.`;
  return {
    matches: false,
    inputs: compare(task.subject, undefined, task.names),
    conclusion: [why, ...(task.subject.kernel === undefined ? [NO_KERNEL] : []), ASK].join(' '),
  };
}
