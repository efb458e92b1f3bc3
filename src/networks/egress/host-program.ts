/**
 * The program that serves a limited namespace, seen from the server: it outlives the server, and
 * one that has ended is started again. Without it, no name resolves.
 *
 * @module
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { chmod, chown, copyFile, mkdir, open, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import * as z from 'zod';
import { retry } from '../../async/retry.ts';
import { A3sError } from '../../errors.ts';
import { findTool } from '../../jail/tools.ts';
import { ifMissing } from '../host/if-missing.ts';
import { type Egress, Refusal } from './egress.ts';
import { MAX_REFUSALS, REFUSALS_FILE, type RefusalFile, SETTINGS_FILE } from './program/files.ts';

/** Where a program's files are, and the namespace that it serves. */
export interface ProgramPlace {
  readonly namespace: string;
  /** The bundle of the program. */
  readonly bundle: string;
}

const READY_MS = 60_000;
const END_MS = 10_000;
const MAX_FILE = 256 * 1024;
const CAPABILITY = 'net_admin';

/** Starts it, once the namespace has its address and its rules. It is ready when this returns. */
export async function startEgressProgram(
  { namespace, bundle }: ProgramPlace,
  egress: Egress,
  inside: string,
): Promise<void> {
  const directory = directoryOf(namespace);
  await stopEgressProgram(namespace);
  await mkdir(directory, { recursive: true });
  // Whatever the umask of this process.
  await chmod(directory, 0o711);
  // The installation may be where no other user comes.
  const program = join(directory, 'egress.cjs');
  await copyFile(bundle, program);
  const settings = join(directory, SETTINGS_FILE);
  await writeFile(settings, JSON.stringify({ egress, inside, nft: await findTool('nft') }));
  for (const path of [program, settings]) await chmod(path, 0o444);
  // It may write this one file, and make none.
  const refusals = join(directory, REFUSALS_FILE);
  await writeFile(refusals, '', { flag: 'wx', mode: 0o600 });
  await chown(refusals, egress.uid, egress.uid);
  await launch(namespace, egress.uid, [program, directory]);
}

async function launch(namespace: string, uid: number, args: readonly string[]): Promise<void> {
  const tools = ['nsenter', 'prlimit', 'setpriv'] as const;
  const [nsenter = '', prlimit = '', setpriv = ''] = await Promise.all(tools.map(findTool));
  const only = `-all,+${CAPABILITY}`;
  const user = [`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', '--no-new-privs'];
  const capabilities = [`--bounding-set=${only}`, `--inh-caps=${only}`, `--ambient-caps=${only}`];
  const limits = [`--fsize=${MAX_FILE}`, '--core=0', '--nofile=8192'];
  const node = [process.execPath, '--max-old-space-size=64', '--optimize-for-size', ...args];
  const child = spawn(
    nsenter,
    [
      ...[`--net=${namespace}`, '--', prlimit, ...limits, '--'],
      ...[setpriv, ...user, ...capabilities, '--', ...node],
    ],
    { stdio: ['ignore', 'pipe', 'pipe'], env: {}, cwd: '/', detached: true },
  );
  await writeFile(pidFileOf(namespace), String(child.pid), { mode: 0o600 });
  const complaint = text(child.stderr);
  const ended = once(child, 'close').then(() => false);
  const timer = setTimeout(() => child.kill('SIGKILL'), READY_MS);
  const ready = await Promise.race([once(child.stdout, 'data').then(() => true), ended]);
  clearTimeout(timer);
  if (!ready) {
    const why = (await complaint).trim().split('\n').at(-1)?.slice(0, 400) ?? '';
    throw new A3sError('network-failed', `Cannot limit what the box reaches: ${why}`, {
      remedy: 'See a3s-box info for what this host lacks.',
    });
  }
  // It outlives this server, and says nothing more.
  complaint.catch(() => undefined);
  child.stdout.destroy();
  child.stderr.destroy();
  child.unref();
}

/** Whether the program of a namespace runs. */
export function runsEgressProgram(namespace: string): boolean {
  return processOf(namespace) !== undefined;
}

/** Ends it, if it runs, and removes its files. */
export async function stopEgressProgram(namespace: string): Promise<void> {
  const directory = directoryOf(namespace);
  // A server that was killed may not have written down the number of one that it has started.
  for (const name of readdirSync('/proc')) {
    if (/^\d+$/.test(name) && isProgram(Number(name), directory))
      await end(Number(name), directory);
  }
  await rm(pidFileOf(namespace), { force: true });
  await rm(directory, { recursive: true, force: true });
}

async function end(pid: number, directory: string): Promise<void> {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
  // Its ports are free then.
  await retry(async () => !isProgram(pid, directory) || undefined, AbortSignal.timeout(END_MS));
}

function processOf(namespace: string): number | undefined {
  try {
    const pid = Number(readFileSync(pidFileOf(namespace), 'utf8'));
    return isProgram(pid, directoryOf(namespace)) ? pid : undefined;
  } catch {
    return undefined;
  }
}

/** Another process may have the number by now. */
function isProgram(pid: number, directory: string): boolean {
  if (!Number.isInteger(pid) || pid <= 1 || pid === process.pid) return false;
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(directory);
  } catch {
    return false;
  }
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
