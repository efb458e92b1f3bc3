/**
 * One run of the workload on a disk that logs each write, and any number of power cuts at moments
 * of it, replayed afterwards: each disk as a cut may have left it is mounted, and the server
 * started on it.
 *
 * @module
 */
import { execFileSync } from 'node:child_process';
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
  /**
   * Boxes run: from a template that is made while the disk logs, or from one that is there
   * beforehand.
   */
  readonly vms: false | 'template-made' | 'template-found';
  /** A box is started after every so many cuts; absent: after none. */
  readonly startEvery?: number;
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
      home: actor.home,
      position: () => positionIn(paths.log),
      remote: play.remote,
    };
    const workload = new Workload(place, random);
    if (play.vms === 'template-found') await prepare(actor, workload);
    const spans = await work(play, workload, () => {
      noteDisks(actor.home, disks);
      return place.position();
    });
    await powerOff(actor);
    await disk.unmount();
    const entries = readWriteLog(paths.log);
    // What was there before is the test's own doing.
    const begun = play.vms === 'template-found' ? (spans[0]?.start ?? 0) : 0;
    const moments = entries.filter(({ end }) => end > begun);
    const failures: string[] = [];
    for (let cut = 0; cut < play.cuts; cut += 1) {
      const position = momentOf(cut, moments, spans, random);
      const target = join(paths.directory, `after-${cut}`);
      const what = cutDisk({ ...paths, target }, entries, position, random);
      await withMounted(target, actor.home, async () => {
        try {
          const start = (cut + 1) % (play.startEvery ?? Infinity) === 0 ? random : undefined;
          await checkHome(actor, { ledger: workload.ledger, position, disks, start });
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

/** With images and a template, which are on the disk before the first step. */
async function prepare(actor: Actor, workload: Workload): Promise<void> {
  await actor.prepare();
  const images = await actor.ok([
    'images',
    '--no-trunc',
    '--format',
    '{{.Repository}}:{{.Tag}} {{.ID}}',
  ]);
  for (const line of images.split('\n')) {
    const [name = '', id = ''] = line.split(' ');
    workload.found(name, id);
  }
  workload.foundTemplate();
  execFileSync('sync', ['--file-system', actor.home]);
}

/** @param settle returns the position after a command has ended */
async function work(play: Play, workload: Workload, settle: () => number): Promise<Span[]> {
  if (play.vms !== 'template-found') await workload.load(busyboxImage(BUSYBOX));
  const spans: Span[] = [];
  let start = settle();
  const took = async (step: Promise<unknown>): Promise<void> => {
    await step;
    const done = settle();
    spans.push({ start, done });
    start = done;
  };
  if (play.vms === 'template-made') await took(workload.warm());
  for (let step = 0; step < play.steps; step += 1) await took(workload.step(play.vms !== false));
  if (play.vms === 'template-made') await took(workload.removeTemplates());
  return spans;
}

/**
 * Half of them are spread over all commands alike: some write a thousand times as much as others.
 */
function momentOf(
  cut: number,
  moments: readonly LogEntry[],
  spans: readonly Span[],
  random: Random,
): number {
  const { start: begun, done } = random.pick(spans);
  const within = moments.filter(({ end }) => end > begun && end <= done);
  return random.pick(cut % 2 === 0 && within.length > 0 ? within : moments).end;
}

/** The last of what the server said, where it came so far. */
export function lastOfLog(actor: Actor): string {
  try {
    return readFileSync(join(actor.home, 'server.log'), 'utf8').slice(-3000);
  } catch {
    return 'there is no server.log';
  }
}
