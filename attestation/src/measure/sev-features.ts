/**
 * SEV_FEATURES of a VMSA (AMD64 APM volume 2, table B-4): which protections the guest runs with.
 *
 * @module
 */

/** Bit → name. */
const NAMES: ReadonlyMap<bigint, string> = new Map([
  [0n, 'SNPActive'],
  [1n, 'vTOM'],
  [2n, 'ReflectVC'],
  [3n, 'RestrictedInjection'],
  [4n, 'AlternateInjection'],
  [5n, 'DebugSwap'],
  [6n, 'PreventHostIBS'],
  [7n, 'BTBIsolation'],
  [8n, 'VmplSSS'],
  [9n, 'SecureTSC'],
]);

/** Sets that hosts may launch with; Linux 6.6 and 6.7 add DebugSwap without being asked. */
export const KNOWN_FEATURES: readonly bigint[] = [
  0x1n,
  0x21n,
  0x201n,
  0x221n,
  0x81n,
  0xa1n,
  0x281n,
  0x2a1n,
  0x9n,
  0x11n,
  0x41n,
];

/** Such as `0x21 (SNPActive, DebugSwap)`. */
export function describeFeatures(features: bigint): string {
  const names = [...NAMES].filter(([bit]) => (features & (1n << bit)) !== 0n);
  return `0x${features.toString(16)} (${names.map(([, name]) => name).join(', ')})`;
}
