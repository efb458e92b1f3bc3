/**
 * Sends a signal that a user chose to the main process of a box.
 *
 * @module
 */
import { stopSignalOf } from '../record/box.ts';
import { thaw } from '../run/frozen.ts';
import { notRunning } from '../run/running-box.ts';
import { publish } from '../services/publish.ts';
import { isKill, parseSignal, signalNumber } from '../spec/signal.ts';
import {
  checkSignal,
  endByKill,
  endWait,
  type SignalHost,
  signalMain,
  startEnded,
} from './main-signals.ts';

/**
 * Sends a signal to the main process. After SIGKILL the run has ended when this returns. After
 * SIGKILL or the box's own stop signal its policy rests, as after a stop.
 *
 * @throws A3sError `box-not-running`, `invalid-argument`
 */
export async function killBox(rt: SignalHost, id: string, name: string): Promise<void> {
  const signal = parseSignal(name);
  checkSignal(rt.store.expect(id), signal);
  await startEnded(rt, id, isKill(signal) ? 0 : Number.POSITIVE_INFINITY);
  if (endWait(rt, id, 'kill')) return;
  const running = rt.running.expect(id);
  if (isKill(signal)) {
    const box = rt.store.amend(id, { stopRequested: true });
    publish(rt, box, 'kill', { signal: signalNumber(signal) });
    return await endByKill(rt, running);
  }
  const { state, definition } = rt.store.expect(id);
  if (state.status === 'stopping') throw notRunning(id);
  const isStop = signalNumber(signal) === signalNumber(stopSignalOf(definition));
  const box = isStop ? rt.store.amend(id, { stopRequested: true }) : rt.store.expect(id);
  await signalMain(running, signal);
  publish(rt, box, 'kill', { signal: signalNumber(signal) });
  // As in Docker: a paused process could not end.
  if (isStop) await thaw(rt, running);
}
