/**
 * Following how far a guest has come with its secrets: what `ps` and `inspect` show, and nothing else. The values never come here.
 *
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Exit, SecretsReport } from '../../guest/protocol.ts';
import type { BoxState } from '../record/box.ts';
import type { LiveBox } from '../run/live.ts';
import { publish, type Runtime } from '../runtime.ts';
import { teeAttributes } from './show.ts';

/** Between two questions: a guest that answers at once, for ever, is asked no more often. */
const PAUSE_MS = 100;
const RETRY_MS = 1000;

/** Until the secrets are there or will not come any more. Never rejects. */
export async function watchSecrets(rt: Runtime, live: LiveBox): Promise<void> {
  let seen = 0;
  while (isWaiting(rt, live)) {
    let failure: unknown;
    try {
      const report = await (await live.guest()).secrets(seen, live.signal);
      seen = report.version;
      if (isWaiting(rt, live)) note(rt, live, report);
    } catch (error) {
      failure = error;
    }
    const pause = failure === undefined ? PAUSE_MS : RETRY_MS;
    await delay(pause, undefined, { signal: live.signal, ref: false }).catch(() => undefined);
    // One that ends answers nobody any more: that is no failure.
    if (failure !== undefined && isWaiting(rt, live)) {
      rt.log.error('a guest does not tell of its secrets', failure, { box: live.id });
    }
  }
}

function isWaiting(rt: Runtime, live: LiveBox): boolean {
  const state = rt.store.get(live.id)?.state;
  const present = !live.signal.aborted && state?.run === live.run && state.status === 'running';
  return present && state.launch?.secrets.state === 'waiting';
}

/** Only names that the launch spec has, and only forwards: a guest that lies can have the record written so often, and no more. */
function note(rt: Runtime, live: LiveBox, report: SecretsReport): void {
  const box = rt.store.expect(live.id);
  const { launch } = box.state;
  const wanted = box.definition.confidential?.secrets ?? [];
  if (launch === undefined) return;
  const said = new Set(report.secrets.flatMap(({ name, delivered }) => (delivered ? [name] : [])));
  const before = new Set(launch.secrets.delivered);
  const delivered = wanted.flatMap(({ name }) =>
    before.has(name) || said.has(name) ? [name] : [],
  );
  const state = report.state === 'none' ? 'waiting' : report.state;
  if (state === launch.secrets.state && delivered.length === before.size) return;
  const noted = rt.store.amend(live.id, { launch: { ...launch, secrets: { state, delivered } } });
  const fresh = delivered.filter((name) => !before.has(name));
  for (const secret of fresh) publish(rt, noted, 'secret-delivered', { secret });
  if (state !== 'waiting') publish(rt, noted, `secrets-${state}`, teeAttributes(noted));
}

/** What the end of the main process says of its secrets, which may be heard of sooner than what the guest tells of them. */
export function expiredBy(exit: Exit, { launch }: BoxState): Pick<BoxState, 'launch'> {
  if (launch?.secrets.state !== 'waiting' || exit.error?.code !== 'secrets-deadline') return {};
  return { launch: { ...launch, secrets: { ...launch.secrets, state: 'expired' } } };
}
