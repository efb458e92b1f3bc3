/**
 * Another engine that serves Docker's API, to compare A3S Box with, for as long as a test runs.
 *
 * It runs in mount, network and PID namespaces of its own and keeps its files in one directory, so
 * it sees no engine of the host, and what it starts ends with it. Its socket lies in that
 * directory: paths of sockets belong to no network namespace. Cgroups are outside of these
 * namespaces: those that it made are removed one by one.
 *
 * @module
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { processesWith, until } from '../e2e/processes.ts';
import { controlGroups, removeGroup } from './control-groups.ts';

export interface EngineService {
  readonly socket: string;
  /** Ends the engine and all that it started, and removes what it made. */
  stop(): Promise<void>;
}

/** What one engine is started by. */
export interface Engine {
  readonly name: string;
  /** It is at hand where each of these runs and says its version. */
  readonly programs: readonly string[];
  /** What it puts the control groups of its containers into, given the name of its directory. */
  readonly controlGroup: (name: string) => string;
  /** Writes what it reads into its directory, and tells how it is started. */
  readonly command: (directory: string) => EngineCommand;
}

export interface EngineCommand {
  readonly words: readonly string[];
  readonly socket: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Called once nothing runs any more, before the directory is removed. */
  readonly clean?: () => void;
}

/**
 * `/run`, `/var/lib` and `/dev/shm` are the engine's own; the shell reaps what loses its parent, as
 * a first process has to.
 */
const FIRST_PROCESS = `set -e
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /var/lib
mount -t tmpfs tmpfs /dev/shm
ip link set lo up
"$@"
exit $?`;

const NAMESPACES = ['--mount', '--net', '--pid', '--fork', '--kill-child', '--mount-proc'];

/** Starts it. Undefined where its programs, or the right to make namespaces, are not at hand. */
export async function startEngine(engine: Engine): Promise<EngineService | undefined> {
  if (!isAtHand(engine)) return undefined;
  const directory = mkdtempSync(join(tmpdir(), `a3s-${engine.name}-`));
  const { words, socket, env, clean = () => undefined } = engine.command(directory);
  const group = engine.controlGroup(basename(directory));
  const before = new Set(controlGroups(group));
  const child = spawn('unshare', [...NAMESPACES, 'sh', '-c', FIRST_PROCESS, 'sh', ...words], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: {
      PATH: process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin',
      HOME: directory,
      ...env,
    },
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said = `${said}${chunk}`.slice(-SAID_LENGTH);
  });
  let ended = false;
  child.once('exit', () => {
    ended = true;
  });
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL');
    await until(`${engine.name} has ended`, () => ended && processesWith(directory).length === 0);
    for (const path of controlGroups(group).filter((made) => !before.has(made))) {
      // The kernel takes its time with the dead.
      await until(`${path} is empty`, () => removeGroup(path));
    }
    clean();
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    await until(`${engine.name} answers`, () => {
      if (ended) throw new Error(`${engine.name} ended: ${said}`);
      return answers(socket);
    });
  } catch (error) {
    await stop();
    throw error;
  }
  return { socket, stop };
}

/** Of its log, what is shown when it does not start. */
const SAID_LENGTH = 4000;

function isAtHand({ programs }: Engine): boolean {
  try {
    for (const program of programs) execFileSync(program, ['--version'], { stdio: 'ignore' });
    execFileSync('unshare', [...NAMESPACES, 'true'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

function answers(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = connect(socket);
    connection.once('connect', () => {
      connection.destroy();
      resolve(true);
    });
    connection.once('error', () => resolve(false));
  });
}
