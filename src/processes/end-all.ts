/**
 * Ends programs that may start further processes while they are ended.
 *
 * @module
 */
import { retry } from '../async/retry.ts';
import { killProcess, type ProcessStat, statOf, untilGone } from './fence.ts';

/**
 * Kills what is found until nothing is, and waits for the ends: the ports of all are free then.
 *
 * @param find the numbers of processes; one that is ending may not be found any more
 * @param ending processes that others may have killed just now
 */
export async function endAll(
  find: () => readonly number[],
  ending: readonly ProcessStat[],
  signal: AbortSignal,
): Promise<void> {
  const ended = new Map(ending.map((each) => [each.pid, each]));
  await retry(async () => {
    const found = find().flatMap((pid) => statOf(pid) ?? []);
    for (const each of found) {
      killProcess(each);
      ended.set(each.pid, each);
    }
    return found.length === 0 || undefined;
  }, signal);
  await untilGone([...ended.values()], signal);
}
