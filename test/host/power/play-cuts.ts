/**
 * One run of the workload on a disk that logs each write, and any number of power cuts at moments
 * of it, replayed afterwards: each disk as a cut may have left it is mounted, and the server
 * started on it.
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Actor } from '../../e2e/actor.ts';
import { BUSYBOX, type Installation } from '../../e2e/installation.ts';
import { busyboxImage } from '../../images/build-image.ts';
import { checkHome, noteDisks } from './check-home.ts';
import { LoggedDisk, makeDisk, withMounted } from './logged-disk.ts';
import { cutDisk } from './lost-writes.ts';
import { powerOff } from './power-off.ts';
import { Random } from './random.ts';
import { Workload } from './workload.ts';
import { type LogEntry, positionIn, readWriteLog } from './write-log.ts';

export interface Play {
  readonly installation: Installation;
  readonly seed: number;
  /** Commands that are given. */
  readonly steps: number;
  readonly cuts: number;
  /** Boxes run, from a template, and are started again after each cut. */
  readonly vms: boolean;
  /** Images that can be pulled. */
  readonly remote: ReadonlyMap<string, string>;
}

interface Span {
  readonly start: number;
  readonly done: number;
}

/** @returns what did not hold, with all that it takes to see it again */
export async function playCuts(play: Play): Promise<readonly string[]> {
  const random = new Random(play.seed);
  const paths = makeDisk();
  const actor = new Actor('root', play.installation);
  const disks = new Map<string, string>();
  const disk = await LoggedDisk.mount(paths, actor.home);
  try {
    const place = {
      run: actor.run.bind(actor),
      position: () => positionIn(paths.log),
      remote: play.remote,
    };
    const workload = new Workload(place, random);
    const spans = await work(play, workload, () => {
      noteDisks(actor.home, disks);
      return place.position();
    });
    await powerOff(actor);
    await disk.unmount();
    const entries = readWriteLog(paths.log);
    const failures: string[] = [];
    for (let cut = 0; cut < play.cuts; cut += 1) {
      const position = momentOf(cut, entries, spans, random);
      const target = join(paths.directory, `after-${cut}`);
      const what = cutDisk({ ...paths, target }, entries, position, random);
      await withMounted(target, actor.home, async () => {
        try {
          const promised = { ledger: workload.ledger, position, disks };
          await checkHome(actor, { ...promised, startBoxes: play.vms });
        } catch (error) {
          const why = error instanceof Error ? error.stack : String(error);
          failures.push(`${what}\n${why}\n${lastOfLog(actor)}`);
          await powerOff(actor);
        }
      });
    }
    return failures;
  } finally {
    await powerOff(actor);
    await disk.remove();
    await actor.leave();
  }
}

/** @param settle returns the position after a command has ended */
async function work(play: Play, workload: Workload, settle: () => number): Promise<Span[]> {
  await workload.load(busyboxImage(BUSYBOX));
  if (play.vms) await workload.warm();
  const spans: Span[] = [];
  let start = settle();
  for (let step = 0; step < play.steps; step += 1) {
    await workload.step(play.vms);
    const done = settle();
    spans.push({ start, done });
    start = done;
  }
  return spans;
}

/** Half of them are spread over all commands alike: some write a thousand times as much as others. */
function momentOf(
  cut: number,
  entries: readonly LogEntry[],
  spans: readonly Span[],
  random: Random,
): number {
  const { start: begun, done } = random.pick(spans);
  const within = entries.filter(({ end }) => end > begun && end <= done);
  return random.pick(cut % 2 === 0 && within.length > 0 ? within : entries).end;
}

/** The last of what the server said, where it came so far. */
export function lastOfLog(actor: Actor): string {
  try {
    return readFileSync(join(actor.home, 'server.log'), 'utf8').slice(-3000);
  } catch {
    return 'there is no server.log';
  }
}
