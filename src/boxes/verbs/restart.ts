/**
 * Restarts a box for a user, whatever its restart policy.
 *
 * @module
 */

import type { TrustOptions } from '../policy/authorize-image.ts';
import { publish } from '../services/publish.ts';
import { expectHostStays } from '../start/enter.ts';
import { type StartHost, startBox } from '../start/start.ts';
import { type StopHost, type StopOptions, stopBox } from './stop.ts';

/** What a restart needs of the server. */
export type RestartHost = StartHost & StopHost;

/**
 * Ends the box's run, if there is one, and starts the box. A box that is removed at its end is not
 * removed for this.
 *
 * @throws A3sError `invalid-argument` for the signal; `conflict` while the host goes down; what a
 * stop or a start is refused for
 */
export async function restartBox(
  rt: RestartHost,
  id: string,
  { signal, timeoutSeconds }: Pick<StopOptions, 'signal' | 'timeoutSeconds'>,
  options: TrustOptions = {},
): Promise<void> {
  // Checked first, since a stop without a start would make the policy rest.
  expectHostStays(rt);
  const restart = async (): Promise<void> => {
    await stopBox(rt, id, { signal, timeoutSeconds, keep: true });
    await startBox(rt, id, options);
  };
  if (rt.running.get(id) === undefined) await restart();
  else await rt.restarts.asked(id, restart);
  publish(rt, rt.store.expect(id), 'restart');
}
