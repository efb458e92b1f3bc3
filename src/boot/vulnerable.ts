/**
 * Refuses boot sets that are on the list of known vulnerable firmware.
 *
 * @module
 */
import { findVulnerable, type KnownVulnerable } from '@a3s-box/policies/known-vulnerable';
import { A3sError } from '../errors.ts';
import type { ConfidentialBoot } from './bootset.ts';

/**
 * Refuses a boot set whose firmware is on the list of known vulnerable firmware.
 *
 * @param what the action that is refused, such as `start the box`
 * @param allowed digests that a policy excepts
 * @throws A3sError `known-vulnerable`
 */
export function refuseVulnerable(
  what: string,
  { firmwareDigest }: Pick<ConfidentialBoot, 'firmwareDigest'>,
  allowed: readonly string[] = [],
): void {
  const entry = findVulnerable('firmware', firmwareDigest);
  if (entry !== undefined && !allowed.includes(entry.digest)) throw knownVulnerable(what, entry);
}

export function knownVulnerable(what: string, entry: KnownVulnerable): A3sError {
  const { id, kind, digest, reason, advisory } = entry;
  const named = kind === 'launch' ? `the launch digest ${digest}` : `the firmware ${digest}`;
  return new A3sError(
    'known-vulnerable',
    `Cannot ${what}: ${named} is known to be vulnerable (${id}): ${reason}`,
    { remedy: `Use another boot set: npm run setup makes one. docs/${advisory} says what to do.` },
  );
}
