/**
 * Calls of the C library that Node does not have.
 *
 * @module
 */
import koffi from 'koffi';
import { reserveCallStack } from '../call-stack.ts';
import { KrunError } from '../errors.ts';

const O_CLOEXEC = 0o2000000;
const PR_SET_DUMPABLE = 4;

function declare(prototype: string) {
  reserveCallStack();
  return koffi.load('libc.so.6').func(prototype);
}

/** The reading and the writing end of a pipe. Programs that are started do not inherit them. */
export function makePipe(): readonly [number, number] {
  const ends: [number, number] = [-1, -1];
  const result: number = declare('int pipe2(_Out_ int *ends, int flags)')(ends, O_CLOEXEC);
  if (result === 0) return ends;
  throw new KrunError('krun-failed', 'Cannot make a pipe for the console');
}

/** From now on no other process of its user reads its memory. */
export function hardenProcess(): void {
  const prctl = declare('int prctl(int option, ulong a, ulong b, ulong c, ulong d)');
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) !== 0) {
    throw new KrunError('krun-privileges', 'Cannot harden the process: PR_SET_DUMPABLE failed');
  }
}
