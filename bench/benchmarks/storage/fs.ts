/**
 * Files in a box's root, in a volume, on a disk volume and in a bind mount, against the same in
 * podman, whose volume is what a disk volume is compared with.
 *
 * A program inside does the work and takes the time, so that starts and execs have no part in it.
 * What the host has in its cache is the same for both.
 *
 * @module
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { FEW_FILES } from '../../../src/engine/helpers/virtiofsd.ts';
import { parseHardLimits } from '../../../src/jail/limits.ts';
import type { Actor } from '../../../test/e2e/actor.ts';
import { BUSYBOX } from '../../../test/e2e/installation.ts';
import type { Asked, Benchmark } from '../../benchmark.ts';
import { FS_WORK, type Inside, milliseconds } from '../../fs-work.ts';
import { inTurns } from '../../in-turns.ts';
import { PODMAN_IMAGE, Podman } from '../../peers/podman.ts';
import { type BenchmarkResult, compared } from '../../statistics.ts';
import { warm } from '../../warm.ts';
import { withActor } from '../../with-actor.ts';

/** Rounds are long. */
const MOST_SAMPLES = 3;
const COMMAND_MS = 600_000;
const TREE_FILES = 30_000;
const GIT = '/usr/bin/git';
const TOOLS = '/tools';

/** The places in a box; of podman's, each has its counterpart. */
const PLACES = { root: '/files', volume: '/volume', disk: '/disk', bind: '/bind' } as const;
const PEER_PLACES = { ...PLACES, disk: PLACES.volume };
type Place = keyof typeof PLACES;

/** Programs that run in both: the workload, and the host's git with its libraries. */
function makeTools(directory: string): void {
  mkdirSync(directory, { mode: 0o755 });
  const source = join(import.meta.dirname, '../../peers/fs-work.c');
  execFileSync('gcc', ['-static', '-O2', '-o', join(directory, 'fs-work'), source]);
  const libraries = execFileSync('ldd', [GIT], { encoding: 'utf8' }).matchAll(/(\/\S+) \(0x/g);
  for (const [, path = ''] of libraries) {
    copyFileSync(realpathSync(path), join(directory, path.slice(path.lastIndexOf('/') + 1)));
  }
  copyFileSync(GIT, join(directory, 'git'));
  chmodSync(directory, 0o755);
}

/** Git without a configuration, and without work in the background. */
function git(directory: string, ...words: readonly string[]): readonly string[] {
  const settings = ['gc.auto=0', 'maintenance.auto=false', 'safe.directory=*', 'user.name=bench'];
  return [
    ...[`${TOOLS}/ld-linux-x86-64.so.2`, '--library-path', TOOLS, `${TOOLS}/git`],
    ...settings.flatMap((setting) => ['-c', setting]),
    ...['-c', 'user.email=bench@example.com', '-C', directory, ...words],
  ];
}

/**
 * As many files as were asked for, unless the file server of a volume may not hold as many open: it
 * holds those that the guest’s kernel knows. With few files it holds none that no program uses, so
 * a tree has any size.
 */
function treeFiles(): number {
  const limit = parseHardLimits(readFileSync('/proc/self/limits', 'utf8')).get('nofile');
  if (limit !== undefined && limit < FEW_FILES) return TREE_FILES;
  const held = Math.floor(0.75 * (limit ?? Number.POSITIVE_INFINITY));
  if (held >= TREE_FILES) return TREE_FILES;
  console.error(`bench: fs: a tree of ${held} files, as this host lets a process open ${limit}`);
  return held;
}

async function makeTree(inside: Inside, place: string): Promise<void> {
  await inside([`${TOOLS}/fs-work`, 'tree', place, String(treeFiles())]);
  await inside(git(place, 'init', '-q', '--template='));
  await inside(git(place, 'add', '-A'));
  await inside(git(place, 'commit', '-q', '-m', 'tree'));
}

async function rowsOf(
  { samples, signal }: Asked,
  place: Place,
  { ours, theirs }: { readonly ours: Inside; readonly theirs: Inside },
): Promise<readonly BenchmarkResult[]> {
  const asked = { samples: Math.min(samples, MOST_SAMPLES), signal };
  const compare = async (
    name: string,
    command: (at: string) => readonly string[],
  ): Promise<BenchmarkResult> => {
    const figures = await inTurns(asked, {
      theirs: () => milliseconds(theirs, command(PEER_PLACES[place])),
      ours: () => milliseconds(ours, command(PLACES[place])),
    });
    const peer = { name: 'podman', samples: figures.theirs };
    const row = compared(`fs-${place}-${name}`, 'ms', figures.ours, peer, '');
    // All of them take long: each is said as soon as it was measured.
    console.error(`bench: ${row.name}: ${row.p50} ms, ${row.against}`);
    return row;
  };
  const rows: BenchmarkResult[] = [];
  for (const [name, verb] of Object.entries(FS_WORK)) {
    rows.push(await compare(name, (at) => [`${TOOLS}/fs-work`, verb, at]));
  }
  signal.throwIfAborted();
  await makeTree(ours, `${PLACES[place]}/tree`);
  // A disk is compared with the tree that is in podman's volume already.
  if (place !== 'disk') await makeTree(theirs, `${PEER_PLACES[place]}/tree`);
  const status = (at: string) => [
    `${TOOLS}/fs-work`,
    'time',
    ...git(`${at}/tree`, 'status', '--porcelain'),
  ];
  rows.push(await compare('git-status', status));
  return rows;
}

/** What a box and a container are started with. */
function mounts(actor: Actor, name: string): readonly string[] {
  const bind = join(actor.directory, name);
  mkdirSync(bind, { mode: 0o755 });
  return [
    ...['-v', `${join(actor.directory, 'tools')}:${TOOLS}:ro`],
    ...['-v', `${bind}:${PLACES.bind}`, '-v', `volume:${PLACES.volume}`],
  ];
}

export const fs: Benchmark = {
  name: 'fs',
  run: (asked) =>
    withActor(({ actor, archive }) =>
      Podman.with(archive, async (podman) => {
        await warm(actor);
        makeTools(join(actor.directory, 'tools'));
        await actor.ok(['volume', 'create', '--opt', 'type=disk', 'disk']);
        const options = ['-d', '--name', 'host', '--network', 'none'];
        const idle = ['sleep', '100000'];
        const disk = ['-v', `disk:${PLACES.disk}`];
        const own = [...options, '-m', '1g', ...mounts(actor, 'ours'), ...disk];
        await actor.ok(['run', ...own, BUSYBOX, ...idle]);
        await podman.run([...options, ...mounts(actor, 'theirs'), PODMAN_IMAGE, ...idle]);
        const ours: Inside = (command) =>
          actor.ok(['exec', 'host', ...command], { deadlineMs: COMMAND_MS });
        const theirs: Inside = (command) => podman.ok(['exec', 'host', ...command]);
        const directories = Object.values(PLACES).map((path) => `${path}/tree`);
        await ours(['mkdir', '-p', ...directories]);
        await theirs(['mkdir', '-p', ...directories]);
        const rows: BenchmarkResult[] = [];
        for (const place of Object.keys(PLACES) as readonly Place[]) {
          rows.push(...(await rowsOf(asked, place, { ours, theirs })));
        }
        return rows;
      }),
    ),
};
