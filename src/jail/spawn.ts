/**
 * Starts programs in jails.
 *
 * @module
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { openSync } from 'node:fs';
import { lstat, readFile, readlink } from 'node:fs/promises';
import { Writable } from 'node:stream';
import { promisify } from 'node:util';
import { type JailHost, jailCommand, jailEnvironment } from './arguments.ts';
import { coverLeaked, leakedDescriptors } from './descriptors.ts';
import { type HostFeatures, probeFeatures } from './features.ts';
import type { JailFeatures, JailProgram, LeastJail } from './jail.ts';
import { parseHardLimits } from './limits.ts';
import { refusalOf } from './refusal.ts';
import { systemCallFilter } from './system-calls.ts';
import { findTool } from './tools.ts';

const ROOTS = ['/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32'];

let host: Promise<JailHost> | undefined;
let nothing: number | undefined;
let leaked: readonly number[] | undefined;
let features: Promise<HostFeatures> | undefined;
let least: LeastJail = 'one-feature';

/** The jail features of this host; probed once. */
export async function jailFeatures(): Promise<JailFeatures> {
  const known = await jailHost();
  features ??= probeFeatures(known);
  return {
    ...(await features),
    weakAccepted: least === 'none',
    allRequired: least === 'all-features',
  };
}

/** The programs that build jails on this host; looked up once. */
export function jailHost(): Promise<JailHost> {
  host ??= readHost();
  return host;
}

/** Sets the least that programs start with from now on. The default is one feature. */
export function setLeastJail(chosen: LeastJail): void {
  least = chosen;
}

/**
 * Starts a program in a jail, in a session of its own.
 *
 * Resolves when the process was created; a failure to become the program shows as its exit. With
 * namespaces, the child keeps the jail, and the program is its only child: to end a program that
 * `outlives`, end both.
 *
 * @throws A3sError `tool-missing`; `state-unusable` when the host offers less than the user set
 */
export async function spawnInJail(program: JailProgram): Promise<ChildProcess> {
  const built = await jailFeatures();
  const refusal = refusalOf(built, program);
  if (refusal !== undefined) throw refusal;
  const filtered = withFilter(program, built);
  const [path, ...args] = jailCommand(await jailHost(), built, filtered);
  nothing ??= openSync('/dev/null', 'r+');
  // Listed once: Node opens the later descriptors of this process close-on-exec, and there may be
  // thousands.
  leaked ??= leakedDescriptors();
  const child = spawn(path, args, {
    cwd: '/',
    env: jailEnvironment(program),
    detached: true,
    stdio: coverLeaked(filtered.stdio, leaked, nothing),
  });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
  if (filtered !== program) writeFilter(child, filtered);
  return child;
}

/** The filter comes through a pipe, at the end of its descriptors. */
function withFilter(program: JailProgram, { namespaces }: HostFeatures): JailProgram {
  const { filter, stdio, lowPorts } = program;
  // Its numbers of system calls are those of x86-64, and bwrap installs it.
  const can = namespaces && lowPorts !== true && process.arch === 'x64';
  if (filter === undefined || !can) return program;
  return { ...program, stdio: [...stdio, 'pipe'], systemCalls: stdio.length };
}

function writeFilter(child: ChildProcess, { systemCalls = 0, filter }: JailProgram): void {
  const pipe = child.stdio[systemCalls];
  if (!(pipe instanceof Writable)) throw new Error('a jail has no pipe for its filter');
  // A jail that ends before it has read the filter says why itself.
  pipe.on('error', () => undefined).end(systemCallFilter(filter));
}

async function readHost(): Promise<JailHost> {
  const [nsenter, prlimit, setpriv, taskset, bwrap] = await Promise.all([
    findTool('nsenter'),
    findTool('prlimit'),
    findTool('setpriv'),
    findTool('taskset'),
    findTool('bwrap').catch(() => undefined),
  ]);
  const roots = new Map<string, string | undefined>();
  for (const root of ROOTS) {
    const stat = await lstat(root).catch(() => undefined);
    if (stat?.isSymbolicLink() === true) roots.set(root, await readlink(root));
    else if (stat?.isDirectory() === true) roots.set(root, undefined);
  }
  const own = parseHardLimits(await readFile('/proc/self/limits', 'utf8'));
  const hardLimits = new Map(own);
  const files = await highestOpenFiles(prlimit);
  if (files !== undefined) hardLimits.set('nofile', files);
  return { nsenter, prlimit, setpriv, taskset, bwrap, roots, hardLimits };
}

/**
 * How many open files the kernel lets any program have; undefined where this process may not raise
 * its limit, as root in a user namespace of its own, which has the capability there alone.
 */
async function highestOpenFiles(prlimit: string): Promise<number | undefined> {
  if (process.geteuid?.() !== 0) return undefined;
  const most = Number(await readFile('/proc/sys/fs/nr_open', 'utf8'));
  try {
    await promisify(execFile)(prlimit, [`--nofile=${most}`, '--', prlimit, '--version']);
    return most;
  } catch {
    return undefined;
  }
}
