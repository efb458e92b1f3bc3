/**
 * The columns of `ps`: what each is called, and what it shows of a process; and the table of them.
 *
 * @module
 */
import type { ProcessEntry } from '../../guest/protocol.ts';
import { clock, elapsed, longStart, shortStart, startOfDay } from './times.ts';

/** What shares and ages of a process are computed against. */
export interface PsContext {
  /** Milliseconds since 1970. */
  readonly now: number;
  /** The memory of the box. */
  readonly memoryBytes: number;
}

export interface PsColumn {
  readonly title: string;
  readonly show: (entry: ProcessEntry, context: PsContext) => string;
}

const KIB = 1024;
const USEC_PER_MS = 1000;

const seconds = ({ cpuUsec }: ProcessEntry): number => Math.floor(cpuUsec / 1_000_000);

const age = ({ startedAt }: ProcessEntry, { now }: PsContext): number =>
  Math.max(0, now - Date.parse(startedAt));

/** The share of one processor since the process started. */
function cpuShare(entry: ProcessEntry, context: PsContext): number {
  const milliseconds = age(entry, context);
  return milliseconds === 0 ? 0 : entry.cpuUsec / USEC_PER_MS / milliseconds;
}

const percent = (share: number): string => (Math.min(share, 99.99) * 100).toFixed(1);

const kib = (bytes: number): string => String(Math.floor(bytes / KIB));

/** Without characters that move a terminal's cursor: the box chooses the names. */
function shown(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, '?');
}

const name = ({ name }: ProcessEntry): string => shown(name);

/** A process without arguments, such as one that has ended, is shown by its name. */
const command = (entry: ProcessEntry): string =>
  entry.args.length === 0 ? `[${name(entry)}]` : shown(entry.args.join(' '));

const user = ({ user, uid }: ProcessEntry): string => (user === '' ? String(uid) : shown(user));

const terminal = ({ terminal }: ProcessEntry): string => (terminal === '' ? '?' : shown(terminal));

/** With the signs for a changed priority and for threads. */
function state({ state, nice, threads }: ProcessEntry): string {
  const priority = nice < 0 ? '<' : nice > 0 ? 'N' : '';
  return `${shown(state)}${priority}${threads > 1 ? 'l' : ''}`;
}

const letter = ({ state }: ProcessEntry): string => shown(state);
const niceness = ({ nice }: ProcessEntry): string => String(nice);
const resident = ({ residentBytes }: ProcessEntry): string => kib(residentBytes);
const size = ({ virtualBytes }: ProcessEntry): string => kib(virtualBytes);
const uid = ({ uid }: ProcessEntry): string => String(uid);
const gid = ({ gid }: ProcessEntry): string => String(gid);
const threads = ({ threads }: ProcessEntry): string => String(threads);
const time = (entry: ProcessEntry): string => clock(seconds(entry));
const cpu = (entry: ProcessEntry, context: PsContext): string => percent(cpuShare(entry, context));
const memory = ({ residentBytes }: ProcessEntry, { memoryBytes }: PsContext): string =>
  percent(residentBytes / memoryBytes);
const startedAt = (entry: ProcessEntry, { now }: PsContext): string =>
  shortStart(Date.parse(entry.startedAt), now);

const column = (title: string, show: PsColumn['show']): PsColumn => ({ title, show });

/** Keyed by the names that `-o` takes. */
export const PS_COLUMNS: ReadonlyMap<string, PsColumn> = new Map([
  ['pid', column('PID', ({ pid }) => String(pid))],
  ['tgid', column('TGID', ({ pid }) => String(pid))],
  ['ppid', column('PPID', ({ ppid }) => String(ppid))],
  ['user', column('USER', user)],
  ['uname', column('USER', user)],
  ['euser', column('EUSER', user)],
  ['uid', column('UID', uid)],
  ['euid', column('EUID', uid)],
  ['gid', column('GID', gid)],
  ['egid', column('EGID', gid)],
  ['comm', column('COMMAND', name)],
  ['ucmd', column('CMD', name)],
  ['ucomm', column('COMMAND', name)],
  ['args', column('COMMAND', command)],
  ['command', column('COMMAND', command)],
  ['cmd', column('CMD', command)],
  ['stat', column('STAT', state)],
  ['state', column('S', letter)],
  ['s', column('S', letter)],
  ['tty', column('TT', terminal)],
  ['tt', column('TT', terminal)],
  ['tname', column('TTY', terminal)],
  ['time', column('TIME', time)],
  ['cputime', column('TIME', time)],
  ['times', column('TIME', (entry) => String(seconds(entry)))],
  ['cputimes', column('TIME', (entry) => String(seconds(entry)))],
  [
    'bsdtime',
    column('TIME', (entry) => {
      const whole = seconds(entry);
      return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
    }),
  ],
  ['etime', column('ELAPSED', (entry, context) => elapsed(Math.floor(age(entry, context) / 1000)))],
  ['etimes', column('ELAPSED', (entry, context) => String(Math.floor(age(entry, context) / 1000)))],
  ['start', column('STARTED', (entry, { now }) => startOfDay(Date.parse(entry.startedAt), now))],
  ['lstart', column('STARTED', (entry) => longStart(Date.parse(entry.startedAt)))],
  ['start_time', column('START', startedAt)],
  ['bsdstart', column('START', startedAt)],
  ['stime', column('STIME', startedAt)],
  ['pcpu', column('%CPU', cpu)],
  ['%cpu', column('%CPU', cpu)],
  [
    'c',
    column('C', (entry, context) =>
      String(Math.min(99, Math.floor(cpuShare(entry, context) * 100))),
    ),
  ],
  ['pmem', column('%MEM', memory)],
  ['%mem', column('%MEM', memory)],
  ['rss', column('RSS', resident)],
  ['rssize', column('RSS', resident)],
  ['rsz', column('RSZ', resident)],
  ['vsz', column('VSZ', size)],
  ['vsize', column('VSZ', size)],
  ['nice', column('NI', niceness)],
  ['ni', column('NI', niceness)],
  ['nlwp', column('NLWP', threads)],
  ['thcount', column('THCNT', threads)],
  ['pri', column('PRI', ({ nice }) => String(19 - nice))],
]);

/** The answer of `top`, as Docker's API has it. */
export interface PsTable {
  readonly Titles: readonly string[];
  readonly Processes: readonly (readonly string[])[];
}

export function psTable(
  columns: readonly PsColumn[],
  processes: readonly ProcessEntry[],
  context: PsContext,
): PsTable {
  return {
    Titles: columns.map(({ title }) => title),
    Processes: processes.map((entry) => columns.map(({ show }) => show(entry, context))),
  };
}
