/**
 * The stages of `npm test`, in their order.
 *
 * @module
 */

export const STAGE_NAMES = [
  'check',
  'go',
  'unit',
  'attestation',
  'fuzz',
  'host',
  'kvm',
  'vm',
] as const;

export type StageName = (typeof STAGE_NAMES)[number];
