/**
 * The program that serves a limited namespace, seen from the server: it outlives the server, and
 * one that has ended is started again. Without it, no name resolves.
 *
 * @module
 */
import type { ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { chmod, chown, copyFile, mkdir, open, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { A3sError } from '../../errors.ts';
import type { JailProgram } from '../../jail/jail.ts';
import { spawnInJail } from '../../jail/spawn.ts';
import { systemCallFilter } from '../../jail/system-calls.ts';
import { parseJson } from '../../parse-json.ts';
import { endAll } from '../../processes/end-all.ts';
import { type ProcessStat, statOf, userOf } from '../../processes/fence.ts';
import { codeOf, isGone } from '../../processes/gone.ts';
import { ifMissing } from '../host/if-missing.ts';
import { type Egress, Refusal } from './egress.ts';
import {
  FAILURES_FILE,
  MAX_REFUSALS,
  REFUSALS_FILE,
  type RefusalFile,
  SETTINGS_FILE,
  type SecretSettings,
  type Settings,
} from './program/files.ts';
import { readSecrets } from './secrets.ts';
import { startProgram } from './start-program.ts';

/** Where a program's files are, and the namespace that it serves. */
export interface ProgramPlace {
  readonly namespace: string;
  /** The bundle of the program. */
  readonly bundle: string;
  /** The authorities that hosts of egress secrets are verified by, in PEM. */
  readonly roots: () => Promise<readonly string[]>;
  /** Ends the start. */
  readonly signal?: AbortSignal;
}

const END_MS = 10_000;
const HEAP_MIB = 64;
/**
 * Of memory it has what all of its connections can take while nobody reads: 2,048 of them, with 64
 * KiB each way. What exceeds this ends, and starts again.
 */
const LIMITS = {
  openFiles: 8192,
  fileBytes: 256 * 1024,
  dataBytes: 512 * 1024 * 1024,
  // Threads of all its networks together, and of the same number in other homes.
  processes: 256,
};
/** Where it has no user of its own, threads of all other programs of that user count as well. */
const LIMITS_OF_SHARED_USER = { ...LIMITS, processes: 16_384 };
const BUNDLE = 'egress.cjs';
const FILTER_FILE = 'system-calls.bpf';
const FILTER_FD = 3;

/** Starts it, once the namespace has its address and its rules. It is ready when this returns. */
export async function startEgressProgram(
  { namespace, bundle, roots, signal }: ProgramPlace,
  { secretsFile, ...egress }: Egress,
  addresses: Pick<Settings, 'inside' | 'inside6'>,
): Promise<void> {
  const directory = directoryOf(namespace);
  const filterProgram = egressFilter(process.arch);
  const secrets =
    secretsFile === undefined ? undefined : await secretSettings(secretsFile, await roots());
  await stopEgressProgram(namespace);
  await mkdir(directory, { recursive: true });
  // Whatever the umask of this process.
  await chmod(directory, 0o711);
  // The installation may be where no other user comes.
  const program = join(directory, BUNDLE);
  await copyBundle(bundle, program);
  const settings = join(directory, SETTINGS_FILE);
  const hasSecrets = secrets !== undefined;
  await writeFile(
    settings,
    JSON.stringify({ egress, ...addresses, hasSecrets } satisfies Settings),
  );
  for (const path of [program, settings]) await chmod(path, 0o444);
  // It may write these files, and make none.
  const refusals = join(directory, REFUSALS_FILE);
  await writeFile(refusals, '', { flag: 'wx', mode: 0o600 });
  await chown(refusals, egress.uid, egress.uid);
  const filter = join(directory, FILTER_FILE);
  await writeFile(filter, filterProgram, { mode: 0o400 });
  await using calls = await open(filter, 'r');
  await using failures = await open(join(directory, FAILURES_FILE), 'ax', 0o600);
  try {
    const input = hasSecrets ? 'pipe' : 'ignore';
    const stdio = [input, 'pipe', failures.fd, calls.fd] as const;
    const jailed = jailOf(namespace, { uid: egress.uid, stdio, refusals });
    await startProgram(
      { start: () => startWith(jailed, secrets), pidFile: pidFileOf(namespace), signal },
      async () => (await lastFailure(namespace)) ?? 'its program ended at once',
    );
  } catch (error) {
    // The jail has a process of its own, and either may be left.
    await endPrograms({ namespace, uid: egress.uid });
    throw error;
  }
}

/** What the program gets of secrets, which is in no file that it or another user can read. */
async function secretSettings(file: string, roots: readonly string[]): Promise<string> {
  const settings: SecretSettings = { ...(await readSecrets(file)), roots: [...roots] };
  return JSON.stringify(settings);
}

async function startWith(program: JailProgram, input: string | undefined): Promise<ChildProcess> {
  const child = await spawnInJail(program);
  // One that ends before it has read all says why itself.
  child.stdin?.on('error', () => undefined).end(input);
  return child;
}

/**
 * The filter of system calls, which has the numbers of one processor's alone. The program does not
 * run without it: it reads what boxes send.
 *
 * @throws A3sError `network-unavailable`
 */
export function egressFilter(architecture: string): Buffer {
  if (architecture === 'x64') return systemCallFilter();
  throw new A3sError(
    'network-unavailable',
    `Cannot limit what the box reaches: there is no filter of system calls for ${architecture}`,
    { remedy: 'Run it on a host of x86-64, or with no egress policy.' },
  );
}

async function copyBundle(bundle: string, program: string): Promise<void> {
  try {
    await copyFile(bundle, program);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new A3sError('network-failed', `Cannot limit what the box reaches: ${why}`, {
      remedy: 'Install A3S Box again: a file of it is missing or cannot be read.',
      cause: error,
    });
  }
}

/** It sees its own files, the system's programs, and the box's network. */
function jailOf(
  namespace: string,
  { uid, stdio, refusals }: { uid: number; stdio: JailProgram['stdio']; refusals: string },
): JailProgram {
  const directory = directoryOf(namespace);
  const node = process.execPath;
  return {
    path: node,
    args: [
      ...[`--max-old-space-size=${HEAP_MIB}`, '--optimize-for-size'],
      ...[join(directory, BUNDLE), directory],
    ],
    identity: { uid, gid: uid },
    stdio,
    writable: [],
    writableFiles: [refusals],
    readable: [
      ...[join(directory, BUNDLE), join(directory, SETTINGS_FILE)],
      ...(node.startsWith('/usr/') ? [] : [node]),
    ],
    ...{ network: true, networkNamespace: namespace },
    systemCalls: FILTER_FD,
    outlives: true,
    limits: uid === 0 ? LIMITS_OF_SHARED_USER : LIMITS,
  };
}

/** The last line that the program of a namespace has said of failures. It may have ended since. */
export async function lastFailure(namespace: string): Promise<string | undefined> {
  const text = await readSome(join(directoryOf(namespace), FAILURES_FILE));
  // The program reads what guests send.
  const line = text.trim().split('\n').at(-1)?.replaceAll(/\p{C}/gu, '?').slice(0, 400);
  return line === '' ? undefined : line;
}

/** Whether the program of a namespace runs. */
export function runsEgressProgram(namespace: string): boolean {
  const uid = configuredUser(namespace);
  if (uid === undefined) return false;
  try {
    const pid = Number(readFileSync(pidFileOf(namespace), 'utf8'));
    return isProgram(pid, { namespace, uid });
  } catch {
    return false;
  }
}

/** Ends it, if it runs, and removes its files. */
export async function stopEgressProgram(namespace: string): Promise<void> {
  const directory = directoryOf(namespace);
  const uid = configuredUser(namespace);
  if (uid !== undefined) await endPrograms({ namespace, uid });
  await rm(pidFileOf(namespace), { force: true });
  await rm(directory, { recursive: true, force: true });
}

interface ProgramOf {
  readonly namespace: string;
  readonly uid: number;
}

/**
 * Ends all processes of it. A server that was killed may not have written down the number of one
 * that it has started.
 */
async function endPrograms(program: ProgramOf): Promise<void> {
  const pids = (): number[] => readdirSync('/proc').map(Number);
  const ending = pids().flatMap((pid) => endingOf(pid, program) ?? []);
  // A jail may start the program while it is ended itself.
  const find = (): number[] => pids().filter((pid) => isProgram(pid, program));
  await endAll(find, ending, AbortSignal.timeout(END_MS));
}

/**
 * The user of a namespace's program, from its settings, which root has written before it started.
 * Undefined: none was started.
 */
function configuredUser(namespace: string): number | undefined {
  try {
    const text = readFileSync(join(directoryOf(namespace), SETTINGS_FILE), 'utf8');
    return UserOf.parse(JSON.parse(text)).egress.uid;
  } catch {
    return undefined;
  }
}

/** Of settings that any version has written. */
const UserOf = z.object({ egress: z.object({ uid: z.int().min(0) }) });

/** Another process may have the number by now, or name the directory in its arguments. */
function isProgram(pid: number, { namespace, uid }: ProgramOf): boolean {
  if (!Number.isInteger(pid) || pid <= 1 || pid === process.pid) return false;
  try {
    const user = userOf(pid);
    // It can change its arguments, but neither its user nor its network. One that has no user of
    // its own has a user namespace of its own, which no tool that works in the network has.
    if (user === uid && isIn(pid, namespace) && (uid !== 0 || hasOwnUsers(pid))) return true;
    if (user !== uid && user !== 0) return false;
    const directory = directoryOf(namespace);
    const args = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    if (!args.includes(directory) || !args.includes(join(directory, BUNDLE))) return false;
    // The programs that become it are still root's.
    return user === uid || args.includes(userArgument(uid));
  } catch {
    return false;
  }
}

/**
 * A process that may be one of it that is ending: its network and its arguments are gone before its
 * ports are.
 */
function endingOf(pid: number, { uid }: ProgramOf): ProcessStat | undefined {
  const stat = Number.isInteger(pid) ? statOf(pid) : undefined;
  if (stat?.ending !== true || userOf(pid) !== uid) return undefined;
  return uid !== 0 || hasOwnUsers(pid) ? stat : undefined;
}

/** Whether a process is in the network namespace of this name. */
function isIn(pid: number, namespace: string): boolean {
  const [own, named] = [`/proc/${pid}/ns/net`, namespace].map((path) =>
    statSync(path, { throwIfNoEntry: false }),
  );
  return own !== undefined && own.ino === named?.ino && own.dev === named.dev;
}

/** Whether a process is in another user namespace than this one. */
function hasOwnUsers(pid: number): boolean {
  try {
    return readlinkSync(`/proc/${pid}/ns/user`) !== readlinkSync('/proc/self/ns/user');
  } catch (error) {
    // It has ended, or lets nobody look at it.
    if (isGone(error) || codeOf(error) === 'EACCES') return false;
    throw error;
  }
}

function userArgument(uid: number): string {
  return `--reuid=${uid}`;
}

function pidFileOf(namespace: string): string {
  return `${namespace}.egress.pid`;
}

function directoryOf(namespace: string): string {
  return `${namespace}.egress`;
}

const RefusalsRead = z.strictObject({
  since: z.number(),
  refusals: z.array(Refusal.extend({ number: z.int() })).max(MAX_REFUSALS),
}) satisfies z.ZodType<RefusalFile>;

/** Up to which refusal of a program's list the server has read. */
export interface ReadUpTo {
  readonly since: number;
  readonly number: number;
}

/**
 * What the program has refused since. The file is the program's, which reads what guests send: a
 * file that is no such list says nothing.
 */
export async function refusedByProgram(
  namespace: string,
  last: ReadUpTo | undefined,
): Promise<{ refusals: readonly Refusal[]; upTo: ReadUpTo | undefined }> {
  const content = await readSome(join(directoryOf(namespace), REFUSALS_FILE));
  const parsed = RefusalsRead.safeParse(parseJson(content));
  if (!parsed.success) return { refusals: [], upTo: last };
  const { since, refusals } = parsed.data;
  const after = last?.since === since ? last.number : 0;
  const fresh = refusals.filter(({ number }) => number > after);
  const number = fresh.at(-1)?.number ?? after;
  return { refusals: fresh.map(({ number: _, ...refusal }) => refusal), upTo: { since, number } };
}

async function readSome(path: string): Promise<string> {
  const file = await open(path, 'r').catch(ifMissing);
  if (file === undefined) return '';
  try {
    const bytes = Buffer.alloc(LIMITS.fileBytes);
    const { bytesRead } = await file.read(bytes, 0, LIMITS.fileBytes, 0);
    return bytes.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
}
