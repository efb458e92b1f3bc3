/**
 * Starts programs in cells.
 *
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { openSync } from 'node:fs';
import { lstat, readFile, readlink } from 'node:fs/promises';
import { A3sError } from '../errors.ts';
import { type CellHost, cellCommand, cellEnvironment } from './arguments.ts';
import type { CellProgram, CellWalls } from './cell.ts';
import { coverLeaked, leakedDescriptors } from './descriptors.ts';
import { parseHardLimits } from './limits.ts';
import { findTool } from './tools.ts';
import { probeWalls } from './walls.ts';

const ROOTS = ['/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32'];

let host: Promise<CellHost> | undefined;
let nothing: number | undefined;
let leaked: readonly number[] | undefined;
let walls: Promise<Omit<CellWalls, 'weakAccepted'>> | undefined;
let weakAccepted = false;

/** Which walls cells have on this host; found out once. */
export async function cellWalls(): Promise<CellWalls> {
  const known = await cellHost();
  walls ??= probeWalls(known);
  return { ...(await walls), weakAccepted };
}

/** What cells are built with here; found out once. */
export function cellHost(): Promise<CellHost> {
  host ??= readHost();
  return host;
}

/** Says whether programs may start where no wall can be built. Unless it is called, none may. */
export function acceptWeakCells(accepted: boolean): void {
  weakAccepted = accepted;
}

/**
 * Starts a program in a cell, in a session of its own.
 *
 * Resolves when the process was created; that it could not become the program shows as its exit.
 * With the namespace wall the child is the wall's keeper, and the program is its only child: to end a program that
 * `outlives`, end both.
 *
 * @throws A3sError `tool-missing`; `state-unusable` when no wall can be built and the user did not accept that
 */
export async function spawnInCell(program: CellProgram): Promise<ChildProcess> {
  const built = await cellWalls();
  if (!built.identity && !built.namespaces && !built.weakAccepted) {
    throw new A3sError(
      'state-unusable',
      `Cannot start ${program.path} confined: ${built.reason ?? 'no wall can be built'}`,
      {
        remedy: `Install bubblewrap and allow user namespaces, run as root, or accept it with A3S_ALLOW_WEAK_CELL=1.`,
      },
    );
  }
  const [path, ...args] = cellCommand(await cellHost(), built, program);
  nothing ??= openSync('/dev/null', 'r+');
  // Once: what this process opens itself, Node opens close-on-exec, and there may be thousands.
  leaked ??= leakedDescriptors();
  const child = spawn(path, args, {
    cwd: '/',
    env: cellEnvironment(program),
    detached: true,
    stdio: coverLeaked(program.stdio, leaked, nothing),
  });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
  return child;
}

async function readHost(): Promise<CellHost> {
  const [prlimit, setpriv, bwrap] = await Promise.all([
    findTool('prlimit'),
    findTool('setpriv'),
    findTool('bwrap').catch(() => undefined),
  ]);
  const roots = new Map<string, string | undefined>();
  for (const root of ROOTS) {
    const stat = await lstat(root).catch(() => undefined);
    if (stat?.isSymbolicLink() === true) roots.set(root, await readlink(root));
    else if (stat?.isDirectory() === true) roots.set(root, undefined);
  }
  const hardLimits = parseHardLimits(await readFile('/proc/self/limits', 'utf8'));
  return { prlimit, setpriv, bwrap, roots, hardLimits };
}
