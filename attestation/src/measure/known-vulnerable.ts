/**
 * Finds launches with known vulnerabilities.
 *
 * @module
 */
import { findVulnerable, type KnownVulnerable } from '@a3s-box/policies/known-vulnerable';
import type { LaunchRecord } from './launch-record.ts';

/**
 * The list's entry for a launch: by its firmware, whatever is launched with it, or else by its
 * digest. Undefined where the list names neither, and where `allowed` has the digest that decides.
 *
 * The digest in a record is its writer's claim: compute it anew beforehand.
 */
export function vulnerableLaunch(
  { ovmf, digest }: LaunchRecord,
  allowed: readonly string[] = [],
): KnownVulnerable | undefined {
  const entry = findVulnerable('firmware-pages', ovmf.hash) ?? findVulnerable('launch', digest);
  return entry === undefined || allowed.includes(entry.digest) ? undefined : entry;
}
