/**
 * The list's entries for a launch that is explained: for the expected one, and for the actual one.
 *
 * @module
 */
import { printable } from '../../client/failure.ts';
import {
  describeVulnerable,
  type KnownVulnerable,
  vulnerableFile,
  vulnerableInputs,
} from './input/known-vulnerable.ts';
import type { Library } from './load-library.ts';

type Inputs = Parameters<Library['explain']>[0];
type Explanation = ReturnType<Library['explain']>;
type Options = NonNullable<Parameters<Library['explain']>[2]>;

export interface VulnerableLaunch extends KnownVulnerable {
  readonly of: 'expected' | 'actual';
}

/**
 * The actual launch is identified by its digest, by a record with that digest, by an artefact with
 * that digest, or by the expected launch where the firmware is the same.
 */
export function vulnerableOf(
  library: Library,
  inputs: Inputs,
  explanation: Explanation,
  { record, artefacts = [] }: Options,
  allowed: readonly string[],
): readonly VulnerableLaunch[] {
  const expected = vulnerableInputs(library, inputs, allowed);
  const actual = [
    explanation.record === 'confirmed' && record !== undefined
      ? library.vulnerableLaunch({ ...record, digest: explanation.actual }, allowed)
      : undefined,
    isSameFirmware(explanation) ? expected : undefined,
    ...(differs(explanation) ? artefacts.map((each) => ofArtefact(library, each)) : []),
    library.findVulnerable('launch', explanation.actual),
  ].find((entry) => entry !== undefined && !allowed.includes(entry.digest));
  return [
    ...(expected === undefined ? [] : [{ of: 'expected' as const, ...expected }]),
    ...(actual === undefined ? [] : [{ of: 'actual' as const, ...actual }]),
  ];
}

function isSameFirmware({ inputs }: Explanation): boolean {
  return inputs.some(({ name, verdict }) => name === 'ovmf' && verdict === 'same');
}

function differs({ cause }: Explanation): boolean {
  return cause?.source === 'variant' && cause.inputs.includes('ovmf');
}

function ofArtefact(
  library: Library,
  { kind, content }: NonNullable<Options['artefacts']>[number],
): KnownVulnerable | undefined {
  if (kind !== 'ovmf' || !(content instanceof Uint8Array)) return undefined;
  return vulnerableFile(library, content);
}

/** For people. */
export function describeVulnerableLaunches(launches: readonly VulnerableLaunch[]): string {
  const lines = launches.map(
    (each) =>
      `✗ known-vulnerable: of the ${each.of} launch, ${describeVulnerable(each)}; see docs/${each.advisory}\n`,
  );
  return printable(lines.length === 0 ? '' : `\n${lines.join('')}`);
}
