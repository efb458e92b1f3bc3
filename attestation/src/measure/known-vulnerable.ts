/**
 * Finds launches with known vulnerabilities.
 *
 * @module
 */
import { findVulnerable, type KnownVulnerable } from '@a3s-box/policies/known-vulnerable';
import type { LaunchRecord } from './launch-record.ts';

/**
 * The list's entry for a launch: by its firmware alone, or else by its digest. Returns undefined
 * when neither is listed, or when `allowed` has the matching digest.
 *
 * The digest in a record is its writer's claim: compute it again beforehand.
 */
export function vulnerableLaunch(
  { ovmf, digest }: LaunchRecord,
  allowed: readonly string[] = [],
): KnownVulnerable | undefined {
  const entry = findVulnerable('firmware-pages', ovmf.hash) ?? findVulnerable('launch', digest);
  return entry === undefined || allowed.includes(entry.digest) ? undefined : entry;
}
