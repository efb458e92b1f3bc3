/**
 * Boxes whose workload has all of the guest.
 *
 * @module
 */
import type { Refused } from './resources.ts';

const PRIVILEGED = ['confinement.privileged', true] as const;

export const PRIVILEGED_ACCEPTED: readonly Refused[] = [
  [
    'privileged',
    'With capabilities over the whole guest.',
    PRIVILEGED,
    ['confinement.capabilities', ['CAP_SYS_ADMIN', 'CAP_SYS_MODULE', 'CAP_SYS_RAWIO']],
    ['confinement.seccomp', 'unconfined'],
  ],
];

export const PRIVILEGED_RULES: readonly Refused[] = [
  ['privileged-false', 'An absent field says it.', ['confinement.privileged', false]],
  ['privileged-null', 'Null is no value.', ['confinement.privileged', null]],
  [
    'privileged-sealing',
    'Its workload could ask for the keys of other privileged boxes.',
    PRIVILEGED,
    ['sealing', 'exact'],
  ],
];
