/**
 * Follows which secrets a guest has received, for `ps` and `inspect` alone. The values never come
 * here.
 *
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Exit, SecretsReport } from '../../guest/protocol.ts';
import { guestText } from '../../guest/refusal.ts';
import type { Box, BoxState } from '../record/box.ts';
import { teeAttributes } from '../record/tee-names.ts';
import type { RunningBox } from '../run/running-box.ts';
import { publish } from '../services/publish.ts';
import type { Services } from '../services/services.ts';
import { isFetching, lackOf } from './secrets-lack.ts';

/** The pause between two requests. A guest that always answers at once is asked no more often. */
const PAUSE_MS = 100;
const RETRY_MS = 1000;

/** Returns when the secrets have arrived, or will not arrive any more. Never rejects. */
export async function watchSecrets(
  rt: Pick<Services, 'events' | 'log' | 'store'>,
  running: RunningBox,
): Promise<void> {
  let seen = 0;
  while (isWaiting(rt, running)) {
    let failure: unknown;
    try {
      const report = await (await running.guest()).secrets(seen, running.signal);
      seen = report.version;
      if (isWaiting(rt, running)) recordSecrets(rt, running, report);
    } catch (error) {
      failure = error;
    }
    const pause = failure === undefined ? PAUSE_MS : RETRY_MS;
    await delay(pause, undefined, { signal: running.signal, ref: false }).catch(() => undefined);
    // A guest that ends does not answer any more: that is no failure.
    if (failure !== undefined && isWaiting(rt, running)) {
      rt.log.error('a guest does not tell of its secrets', failure, { box: running.id });
    }
  }
}

/** Whether the secrets of this run may still arrive. */
export function isWaiting(
  rt: Pick<Services, 'store'>,
  running: Pick<RunningBox, 'id' | 'run' | 'signal'>,
): boolean {
  const state = rt.store.get(running.id)?.state;
  return isPresent(rt, running) && state?.launch?.secrets.state === 'waiting';
}

/** Whether this run goes on. */
export function isPresent(
  rt: Pick<Services, 'store'>,
  running: Pick<RunningBox, 'id' | 'run' | 'signal'>,
): boolean {
  const state = rt.store.get(running.id)?.state;
  if (running.signal.aborted || state?.run !== running.run) return false;
  // A pause freezes the workload alone: the agent goes on, and so does what follows it.
  return state.status === 'running' || state.status === 'paused';
}

/**
 * Records only names that the launch spec has, and only progress. So a guest that lies can cause no
 * more writes than that.
 */
function recordSecrets(
  rt: Pick<Services, 'events' | 'store'>,
  running: RunningBox,
  report: SecretsReport,
): void {
  const box = rt.store.expect(running.id);
  const { launch } = box.state;
  const wanted = box.definition.confidential?.secrets ?? [];
  if (launch === undefined) return;
  const reported = new Set(
    report.secrets.flatMap(({ name, delivered }) => (delivered ? [name] : [])),
  );
  const before = new Set(launch.secrets.delivered);
  const delivered = wanted.flatMap(({ name }) =>
    before.has(name) || reported.has(name) ? [name] : [],
  );
  const state = report.state === 'none' ? 'waiting' : report.state;
  if (state === launch.secrets.state && delivered.length === before.size) return;
  const amended = rt.store.amend(running.id, {
    launch: { ...launch, secrets: { state, delivered } },
  });
  const fresh = delivered.filter((name) => !before.has(name));
  for (const secret of fresh) publish(rt, amended, 'secret-delivered', { secret });
  // A box may have waited for its volumes alone.
  if (state === 'ready' && wanted.length === 0) return;
  // Why a secret was not fetched, the exit says: its event has it.
  if (state === 'waiting' || (state !== 'ready' && isFetching(box))) return;
  publish(rt, amended, `secrets-${state}`, teeAttributes(amended));
}

/**
 * The secrets' state at the exit of the main process, which may be known before the guest's report
 * about them.
 */
export function secretsAfter(exit: Exit, { launch }: BoxState): Pick<BoxState, 'launch'> {
  const state = lackOf(exit.error?.code);
  if (launch?.secrets.state !== 'waiting' || state === undefined) return {};
  return { launch: { ...launch, secrets: { ...launch.secrets, state } } };
}

/**
 * Publishes that the secrets did not come, once: `before` is the state before the exit was
 * recorded. Of a box that fetches secrets the event has the code, and what its broker answered.
 */
export function publishLack(
  rt: Pick<Services, 'events'>,
  ended: Box,
  before: BoxState,
  { error }: Exit,
): void {
  const state = lackOf(error?.code);
  if (!error || state === undefined) return;
  const fetching = isFetching(ended);
  if (!fetching && before.launch?.secrets.state !== 'waiting') return;
  const why = fetching ? { error: error.code, reason: guestText(error.message) } : {};
  const isVolume = error.code.startsWith('volume-');
  const [event, rule] = isVolume ? ['spec-refused', { rule: 'volumes' }] : [`secrets-${state}`, {}];
  publish(rt, ended, event, { ...teeAttributes(ended), ...rule, ...why });
}
