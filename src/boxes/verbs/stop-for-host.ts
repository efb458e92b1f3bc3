/**
 * Stops all boxes, because their host shuts down.
 *
 * @module
 */
import { settleAll } from '../../async/settle-all.ts';
import { stopSignalOf } from '../record/box.ts';
import type { FreezeHost } from '../run/frozen.ts';
import type { RunServices } from '../run/run-services.ts';
import { DEFAULT_STOP_SECONDS, endByKill, endsOn } from './main-signals.ts';

/** What the stop of all boxes needs of the server. */
export type StopAllHost = FreezeHost & Pick<RunServices, 'running' | 'restarts'>;

/**
 * Ends all running boxes as a stop does, because the host shuts down. No user asked for that, so
 * their policies hold, and the next server starts the boxes that are to be started.
 *
 * A box that cannot be ended does not keep the others from ending. The first failure is thrown when
 * all are done.
 *
 * @param timeoutMs the most time that any box gets, whatever its own timeout is
 */
export async function stopForHost(rt: StopAllHost, timeoutMs: number): Promise<void> {
  rt.restarts.hold();
  const boxes = rt.running.list();
  rt.log.info('the host ends: boxes are asked to end', { boxes: boxes.length });
  await settleAll(
    boxes.map(async (running) => {
      const { definition, state } = rt.store.expect(running.id);
      if (state.status === 'starting') {
        // Nothing of the box has run, and its start is undone.
        await running.vm.kill();
        return await running.finished;
      }
      const seconds = definition.stopTimeout ?? DEFAULT_STOP_SECONDS;
      const timeout = seconds < 0 ? timeoutMs : Math.min(seconds * 1000, timeoutMs);
      if (!(await endsOn(rt, running, stopSignalOf(definition), timeout)))
        await endByKill(rt, running);
    }),
  );
}
