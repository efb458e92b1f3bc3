/**
 * The engine of a measured guest.
 *
 * @module
 */
import type { PolicyEngine, SnpPolicy } from '@a3s-box/policies/attestation-policy';
import { constantTimeIncludes } from './constant-time.ts';

/**
 * `krun` for the launch digests that the policy names as those of libkrun, and `qemu` for all
 * others. Nothing that a peer says of its engine counts beside it.
 *
 * @param measurement 96 hexadecimal digits in lower case
 */
export function measuredEngine(
  { krunMeasurements }: Pick<SnpPolicy, 'krunMeasurements'>,
  measurement: string,
): PolicyEngine {
  return constantTimeIncludes(krunMeasurements, measurement) ? 'krun' : 'qemu';
}
