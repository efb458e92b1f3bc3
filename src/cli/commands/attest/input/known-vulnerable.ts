/**
 * The list of known vulnerable digests, for commands that inspect firmware and launches.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import type { Context } from '../../../context.ts';
import { InputError } from '../../../files/input-error.ts';
import { type Flag, string } from '../../../flags/flag.ts';
import type { FlagValues } from '../../../flags/flag-values.ts';
import type { Library } from '../load-library.ts';
import { readPolicy } from './policy-input.ts';

export type KnownVulnerable = NonNullable<ReturnType<Library['findVulnerable']>>;

export const EXCEPTIONS_FLAG: Flag = string(
  'policy',
  'Attestation policy that may except what is known to be vulnerable (allowKnownVulnerable)',
  { value: 'file' },
);

/**
 * The digests that the policy of a flag exempts; none without one.
 *
 * @throws as {@link readPolicy}
 */
export async function exceptionsOf(
  context: Context,
  flags: FlagValues,
  library: Library,
  flag = 'policy',
): Promise<readonly string[]> {
  const path = flags.string(flag);
  if (path === undefined) return [];
  const { policy } = await readPolicy(context, library, path, `--${flag}`);
  return policy.allowKnownVulnerable;
}

type Inputs = Parameters<Library['launchRecordOf']>[0];

/**
 * The list's entry for a launch that is measured here, by its firmware file where that is
 * available.
 */
export function vulnerableInputs(
  library: Library,
  inputs: Inputs,
  allowed: readonly string[],
): KnownVulnerable | undefined {
  const file = inputs.ovmf instanceof Uint8Array ? vulnerableFile(library, inputs.ovmf) : undefined;
  if (file !== undefined) return allowed.includes(file.digest) ? undefined : file;
  return library.vulnerableLaunch(library.launchRecordOf(inputs), allowed);
}

export function vulnerableFile(library: Library, file: Uint8Array): KnownVulnerable | undefined {
  return library.findVulnerable('firmware', createHash('sha256').update(file).digest('hex'));
}

/** The reason of the refusal, and the remedy. */
export function describeVulnerable({ id, kind, digest, reason }: KnownVulnerable): string {
  const what = kind === 'launch' ? 'launch digest' : 'firmware';
  return `the ${what} ${digest} is known to be vulnerable (${id}): ${reason}`;
}

export function knownVulnerable(entry: KnownVulnerable): InputError {
  return new InputError(
    'known-vulnerable',
    `Cannot trust the launch: ${describeVulnerable(entry)}`,
    {
      remedy: `Launch another firmware: docs/${entry.advisory} says what to do.`,
    },
  );
}
