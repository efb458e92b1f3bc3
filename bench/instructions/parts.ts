/**
 * The steps that are counted, and their parts.
 *
 * @module
 */
import { type Counts, total } from './counts.ts';

/**
 * `run`: a box from a template, of a program that does nothing; `exec`: the same program in a box
 * that runs; `stop`: of a program that ends on the signal.
 */
export const STEPS = ['run', 'exec', 'stop'] as const;
export type Step = (typeof STEPS)[number];

/**
 * Instructions: all; of the host's programs, which are the command line, the server, the VMM and
 * its helpers; of the host's kernel, KVM included; of the guest, its kernel included. And how often
 * a guest was entered.
 */
export const PARTS = ['all', 'host-programs', 'host-kernel', 'guest', 'entries'] as const;
export type Part = (typeof PARTS)[number];

export const PART_OF: Readonly<Record<Part, (counts: Counts) => number>> = {
  all: total,
  'host-programs': ({ hostUser }) => hostUser,
  'host-kernel': ({ hostKernel }) => hostKernel,
  guest: ({ guestUser, guestKernel }) => guestUser + guestKernel,
  entries: ({ entries }) => entries,
};
