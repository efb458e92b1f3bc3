/**
 * Whether the agent of a guest that boots answers on the control stream.
 *
 * @module
 */
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { unlessAborted } from '../../async/unless-aborted.ts';
import { A3sError } from '../../errors.ts';
import type { Vm } from '../vm/vm.ts';

/** The start of HTTP/2 and an empty SETTINGS frame: an agent answers with its own settings. */
const GREETING = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]),
]);
const PAUSE_MS = 50;

/**
 * Resolves when the agent answers.
 *
 * @param signal the deadline
 * @throws A3sError `vmm-failed` with why the microVM ended; the signal's reason
 */
export async function agentAnswers(
  vm: Pick<Vm, 'connect' | 'exited'>,
  signal: AbortSignal,
): Promise<void> {
  try {
    while (!(await answers(vm, signal))) await delay(PAUSE_MS, undefined, { signal });
  } catch {
    signal.throwIfAborted();
    // Why it ended says more than that nothing answered.
    const { reason, detail } = await unlessAborted(vm.exited, signal);
    throw new A3sError('vmm-failed', detail === '' ? `the microVM ended: ${reason}` : detail);
  }
}

/**
 * Whether one stream is answered. Where the guest does not listen yet, it ends or is reset, and the
 * next one may be answered.
 */
async function answers(vm: Pick<Vm, 'connect'>, signal: AbortSignal): Promise<boolean> {
  const stream = await vm.connect(signal);
  stream.on('error', () => undefined);
  const gone = (): boolean => {
    signal.throwIfAborted();
    return false;
  };
  const first = once(stream, 'data', { signal }).then(() => true, gone);
  const closed = once(stream, 'close', { signal }).then(() => false, gone);
  // The other one may still reject once one of them has decided.
  for (const each of [first, closed]) each.catch(() => undefined);
  stream.write(GREETING);
  return await Promise.race([first, closed]);
}
