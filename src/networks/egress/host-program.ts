/**
 * The program that serves a limited namespace, seen from the server: it outlives the server, and
 * one that has ended is started again. Without it, no name resolves.
 *
 * @module
 */
import { readdirSync, readFileSync } from 'node:fs';
import { chmod, chown, copyFile, mkdir, open, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { retry } from '../../async/retry.ts';
import { A3sError } from '../../errors.ts';
import { findTool } from '../../jail/tools.ts';
import { ifMissing } from '../host/if-missing.ts';
import { type Egress, Refusal } from './egress.ts';
import {
  FAILURES_FILE,
  MAX_REFUSALS,
  REFUSALS_FILE,
  type RefusalFile,
  SETTINGS_FILE,
  Settings,
} from './program/files.ts';
import { startProgram } from './start-program.ts';

/** Where a program's files are, and the namespace that it serves. */
export interface ProgramPlace {
  readonly namespace: string;
  /** The bundle of the program. */
  readonly bundle: string;
  /** Ends the start. */
  readonly signal?: AbortSignal;
}

const END_MS = 10_000;
const MAX_FILE = 256 * 1024;
const CAPABILITY = 'net_admin';
const BUNDLE = 'egress.cjs';

/** Starts it, once the namespace has its address and its rules. It is ready when this returns. */
export async function startEgressProgram(
  { namespace, bundle, signal }: ProgramPlace,
  egress: Egress,
  inside: string,
): Promise<void> {
  const directory = directoryOf(namespace);
  await stopEgressProgram(namespace);
  await mkdir(directory, { recursive: true });
  // Whatever the umask of this process.
  await chmod(directory, 0o711);
  // The installation may be where no other user comes.
  const program = join(directory, BUNDLE);
  await copyBundle(bundle, program);
  const settings = join(directory, SETTINGS_FILE);
  const nft = await findTool('nft');
  await writeFile(settings, JSON.stringify({ egress, inside, nft } satisfies Settings));
  for (const path of [program, settings]) await chmod(path, 0o444);
  // It may write these files, and make none.
  const refusals = join(directory, REFUSALS_FILE);
  await writeFile(refusals, '', { flag: 'wx', mode: 0o600 });
  await chown(refusals, egress.uid, egress.uid);
  const failures = await open(join(directory, FAILURES_FILE), 'ax', 0o600);
  try {
    const [path, ...args] = await commandOf(namespace, egress.uid, [program, directory]);
    await startProgram(
      { path, args, complaints: failures.fd, pidFile: pidFileOf(namespace), signal },
      async () => (await lastFailure(namespace)) ?? 'its program ended at once',
    );
  } finally {
    await failures.close();
  }
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

async function commandOf(
  namespace: string,
  uid: number,
  args: readonly string[],
): Promise<[string, ...string[]]> {
  const tools = ['nsenter', 'prlimit', 'setpriv'] as const;
  const [nsenter = '', prlimit = '', setpriv = ''] = await Promise.all(tools.map(findTool));
  const only = `-all,+${CAPABILITY}`;
  const user = [userArgument(uid), `--regid=${uid}`, '--clear-groups', '--no-new-privs'];
  const capabilities = [`--bounding-set=${only}`, `--inh-caps=${only}`, `--ambient-caps=${only}`];
  const limits = [`--fsize=${MAX_FILE}`, '--core=0', '--nofile=8192'];
  const node = [process.execPath, '--max-old-space-size=64', '--optimize-for-size', ...args];
  return [
    ...([nsenter, `--net=${namespace}`, '--', prlimit, ...limits, '--'] as const),
    ...[setpriv, ...user, ...capabilities, '--', ...node],
  ];
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
  const uid = userOf(namespace);
  if (uid === undefined) return false;
  try {
    const pid = Number(readFileSync(pidFileOf(namespace), 'utf8'));
    return isProgram(pid, { directory: directoryOf(namespace), uid });
  } catch {
    return false;
  }
}

/** Ends it, if it runs, and removes its files. */
export async function stopEgressProgram(namespace: string): Promise<void> {
  const directory = directoryOf(namespace);
  const uid = userOf(namespace);
  // A server that was killed may not have written down the number of one that it has started.
  for (const name of uid === undefined ? [] : readdirSync('/proc')) {
    if (uid === undefined || !/^\d+$/.test(name)) continue;
    if (isProgram(Number(name), { directory, uid })) await end(Number(name), { directory, uid });
  }
  await rm(pidFileOf(namespace), { force: true });
  await rm(directory, { recursive: true, force: true });
}

interface ProgramOf {
  readonly directory: string;
  readonly uid: number;
}

async function end(pid: number, program: ProgramOf): Promise<void> {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
  // Its ports are free then.
  await retry(async () => !isProgram(pid, program) || undefined, AbortSignal.timeout(END_MS));
}

/**
 * The user of a namespace's program, from its settings, which root has written before it started.
 * Undefined: none was started.
 */
function userOf(namespace: string): number | undefined {
  try {
    const text = readFileSync(join(directoryOf(namespace), SETTINGS_FILE), 'utf8');
    return Settings.parse(JSON.parse(text)).egress.uid;
  } catch {
    return undefined;
  }
}

/** Another process may have the number by now, or name the directory in its arguments. */
function isProgram(pid: number, { directory, uid }: ProgramOf): boolean {
  if (!Number.isInteger(pid) || pid <= 1 || pid === process.pid) return false;
  try {
    const args = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    if (!args.includes(directory) || !args.includes(join(directory, BUNDLE))) return false;
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const user = Number(/^Uid:\t(\d+)\t/m.exec(status)?.[1]);
    // The programs that become it are still root's.
    return user === uid || (user === 0 && args.includes(userArgument(uid)));
  } catch {
    return false;
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
    const bytes = Buffer.alloc(MAX_FILE);
    const { bytesRead } = await file.read(bytes, 0, MAX_FILE, 0);
    return bytes.toString('utf8', 0, bytesRead);
  } finally {
    await file.close();
  }
}

function parseJson(content: string): unknown {
  try {
    return JSON.parse(content);
  } catch {
    return undefined;
  }
}
