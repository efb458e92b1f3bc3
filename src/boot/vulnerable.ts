/**
 * Boot sets with a hole that is known.
 *
 * @module
 */
import { findVulnerable, type KnownVulnerable } from '@a3s-box/policies/known-vulnerable';
import { A3sError } from '../errors.ts';
import type { ConfidentialBoot } from './bootset.ts';

/**
 * Refuses what the list of what is known to be vulnerable names.
 *
 * @param what cannot be done, such as `start the box`
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
