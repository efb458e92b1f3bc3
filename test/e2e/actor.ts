/**
 * A user of `a3s-box` on this host: root, or an ordinary user. Each has a home of its own and
 * leaves nothing behind.
 *
 * @module
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import {
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readConfig } from '../../src/config.ts';
import { recordedDirectory } from '../../src/snapshots/memory-directory.ts';
import type { Installation } from './installation.ts';
import { processesWith, until } from './processes.ts';
import { SOAK } from './soak.ts';
import { ENGINE, engineSettings, giveVerdict, isVmm } from './support/engine-under-test.ts';
import { scaled, slowHost } from './time-scale.ts';

/** No account of this number exists; none is needed. */
const ORDINARY_UID = 64_321;

export type ActorName = 'root' | 'ordinary user';

/** Whom the tests can play: everybody as root, only oneself otherwise. */
export const ACTORS: readonly ActorName[] =
  process.getuid?.() === 0 ? ['root', 'ordinary user'] : ['ordinary user'];

/**
 * Whether to test with this user what is the same for everybody: in a soak with all of them,
 * otherwise with the first. What hangs on who it is is tested with each, always.
 */
export function testsEverything(name: ActorName): boolean {
  return name === ACTORS[0] || SOAK;
}

/** Who tests what is the same for every user: one of them, and in a soak all. */
export const ANY_ACTOR: readonly ActorName[] = ACTORS.filter(testsEverything);

export interface Result {
  /** Exit status, or the signal's name. */
  readonly code: number | string;
  readonly stdout: string;
  readonly bytes: Buffer;
  readonly stderr: string;
}

export interface RunOptions {
  readonly stdin?: Uint8Array | string;
  readonly env?: Readonly<Record<string, string>>;
  readonly deadlineMs?: number;
}

export class Actor {
  readonly name: ActorName;
  readonly directory: string;
  readonly home: string;
  readonly socket: string;
  readonly runtimeDir: string;
  readonly env: Readonly<Record<string, string>>;
  readonly #installation: Installation;
  readonly #uid: number;
  /** A device file that takes the place of `/dev/net/tun` for this actor. */
  readonly #tun: string | undefined;
  /** Once this actor has left. */
  #lastMemory: string | undefined;

  /** @param tun a device file that this actor sees as `/dev/net/tun`; for root to choose */
  constructor(name: ActorName, installation: Installation, tun?: string) {
    this.name = name;
    this.#tun = tun;
    this.#installation = installation;
    this.#uid =
      name === 'root' ? 0 : process.getuid?.() === 0 ? ORDINARY_UID : (process.getuid?.() ?? 0);
    this.directory = mkdtempSync(join(tmpdir(), 'a3s-'));
    this.home = join(this.directory, 'home');
    const xdg = join(this.directory, 'run');
    for (const path of [this.home, xdg]) {
      mkdirSync(path, { mode: 0o700 });
      this.own(path);
    }
    const known = join(installation.root, 'accelerator.json');
    if (existsSync(known)) copyFileSync(known, join(this.home, 'accelerator.json'));
    this.own(...giveVerdict(installation.root, this.home));
    this.own(this.directory, ...readdirSync(this.home).map((name) => join(this.home, name)));
    this.env = {
      PATH: process.env['PATH'] ?? '/usr/bin:/bin',
      HOME: this.directory,
      XDG_RUNTIME_DIR: xdg,
      A3S_HOME: this.home,
      LANG: 'C.UTF-8',
      ...slowHost(),
      ...engineSettings(installation.root),
    };
    const config = readConfig(this.env, this.#uid, join(installation.root, 'dist'));
    this.socket = config.socket;
    this.runtimeDir = config.runtimeDir;
  }

  /** Where the memory of snapshots lies, while there are some. */
  get snapshotMemory(): string {
    return this.#lastMemory ?? recordedDirectory({ home: this.home, uid: this.#uid });
  }

  /** Makes files that this process has written the actor's own. */
  own(...paths: readonly string[]): void {
    if (process.getuid?.() !== 0) return;
    for (const path of paths) chownSync(path, this.#uid, this.#uid);
  }

  /** The argument vector that runs the command line as this actor. */
  command(args: readonly string[]): [string, ...string[]] {
    // As the program's first line says.
    return this.program(process.execPath, ['--', this.#installation.cli, ...args]);
  }

  /** The argument vector that runs any program as this actor. */
  program(path: string, args: readonly string[]): [string, ...string[]] {
    if (this.#uid === process.getuid?.()) return [path, ...args];
    const id = String(this.#uid);
    const asUser: [string, ...string[]] = [
      ...(['setpriv', '--reuid', id, '--regid', id, '--clear-groups'] as const),
      ...[path, ...args],
    ];
    if (this.#tun === undefined) return asUser;
    const withTun = 'mount --bind "$0" /dev/net/tun && exec "$@"';
    return ['unshare', '--mount', 'sh', '-c', withTun, this.#tun, ...asUser];
  }

  start(args: readonly string[], env: Readonly<Record<string, string>> = {}): ChildProcess {
    const [program, ...rest] = this.command(args);
    return spawn(program, rest, { env: { ...this.env, ...env }, cwd: this.directory });
  }

  /** Runs a command to its end. */
  async run(args: readonly string[], options: RunOptions = {}): Promise<Result> {
    return finish(this.start(args, options.env), options);
  }

  /** Runs a command that must succeed, and returns its output without the last newline. */
  async ok(args: readonly string[], options: RunOptions = {}): Promise<string> {
    const result = await this.run(args, options);
    if (result.code !== 0) {
      throw new Error(
        `a3s-box ${args.join(' ')}: ${result.code}\n${result.stdout}${result.stderr}`,
      );
    }
    return result.stdout.trimEnd();
  }

  /**
   * Gives the actor, before the first command, a home with both test images and a template, so that
   * no test waits for a boot that it does not look at, and starts its server. The first home of a
   * run is made, the others are copies of it.
   */
  async prepare(env: Readonly<Record<string, string>> = {}): Promise<void> {
    const prepared = join(this.#installation.root, 'homes', String(this.#uid));
    if (!existsSync(prepared)) await this.#prepareHome(prepared);
    // The owners of its files as well: a VM's own files belong to its jail.
    execFileSync('cp', ['-a', `${prepared}/.`, this.home]);
    await this.ok(['ps'], { env });
  }

  async #prepareHome(path: string): Promise<void> {
    const first = new Actor(this.name, this.#installation);
    try {
      await first.load('busybox', 'distroless');
      if (ENGINE === 'qemu') await first.ok(['template', 'warm'], { deadlineMs: 180_000 });
      await first.stopServer();
      mkdirSync(join(path, '..'), { recursive: true });
      renameSync(first.home, path);
    } catch (error) {
      // Files run two at a time: the other one's home is as good.
      if ((error as NodeJS.ErrnoException).code !== 'ENOTEMPTY') throw error;
    } finally {
      await first.stopServer();
      for (const left of [first.directory, first.runtimeDir]) {
        rmSync(left, { recursive: true, force: true });
      }
    }
  }

  async load(...names: readonly (keyof Installation['archives'])[]): Promise<void> {
    for (const name of names) {
      await this.ok(['load', '--quiet', '--input', this.#installation.archives[name]]);
    }
  }

  /** The control server's process id; undefined when there is none. */
  serverPid(): number | undefined {
    return processesWith('server.cjs').find((process) =>
      process.environment.includes(`A3S_HOME=${this.home}`),
    )?.pid;
  }

  /** Ends it as a crash would; it is gone when this returns. */
  async killServer(): Promise<void> {
    const pid = this.serverPid();
    if (pid === undefined) throw new Error('there is no server to kill');
    process.kill(pid, 'SIGKILL');
    await until('the server is dead', () => this.serverPid() === undefined);
  }

  /**
   * Processes that belong to this actor's boxes. A probe of KVM, whose UUID is zero, comes and
   * goes.
   */
  boxProcesses() {
    return this.#processes().filter(({ commandLine }) => !commandLine.includes(' -uuid 00000000-'));
  }

  /** With probes: none of them outlives the server either. */
  #processes() {
    return processesWith(this.runtimeDir).filter(
      ({ commandLine }) => !commandLine.includes('server.cjs'),
    );
  }

  /**
   * The virtual machine monitors among them; the jail around one name it too, but do not begin with
   * it.
   */
  vmms() {
    return this.boxProcesses().filter(({ commandLine }) => isVmm(commandLine));
  }

  /** Removes every box, ends the server, and forgets the home. */
  async leave(): Promise<void> {
    const all = await this.run(['ps', '--all', '--quiet', '--no-trunc']);
    const ids = all.stdout.split('\n').filter((line) => line !== '');
    if (ids.length > 0) await this.run(['rm', '--force', ...ids]);
    await this.stopServer();
    await until('no process of the actor is left', () => this.#processes().length === 0);
    this.#lastMemory = this.snapshotMemory;
    rmSync(this.directory, { recursive: true, force: true });
    rmSync(this.runtimeDir, { recursive: true, force: true });
    rmSync(this.snapshotMemory, { recursive: true, force: true });
  }

  /** What is left of this actor, who has left: files, and processes by their command lines. */
  remains(): readonly string[] {
    const processes = [this.directory, this.runtimeDir, this.#installation.root]
      .flatMap((path) => processesWith(path))
      .filter(({ environment }) => environment.includes(`A3S_HOME=${this.home}`));
    return [
      ...[this.directory, this.runtimeDir, this.snapshotMemory].filter(existsSync),
      ...[...processes, ...this.#processes()].map(({ commandLine }) => commandLine),
    ];
  }

  async stopServer(): Promise<void> {
    const pid = this.serverPid();
    if (pid === undefined) return;
    await new Promise<void>((resolve, reject) => {
      const call = request(
        { socketPath: this.socket, path: '/a3s/v1/server/stop', method: 'POST' },
        (response) => response.resume().on('end', resolve),
      );
      call.on('error', (error: NodeJS.ErrnoException) => {
        // A server that could not start, or was stopped already, is on its way out.
        if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') resolve();
        else reject(error);
      });
      call.end();
    });
    await until('the server is gone', () => this.serverPid() === undefined);
  }
}

/** Collects what a child writes, and its end. */
export async function finish(child: ChildProcess, options: RunOptions = {}): Promise<Result> {
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout?.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => stderr.push(chunk));
  // A program that does not read its input to the end is no failure of the test.
  child.stdin?.on('error', () => {});
  child.stdin?.end(options.stdin ?? '');
  const deadline = setTimeout(() => child.kill('SIGKILL'), scaled(options.deadlineMs ?? 90_000));
  const code = await new Promise<number | string>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status, signal) => resolve(status ?? signal ?? 'unknown'));
  });
  clearTimeout(deadline);
  const bytes = Buffer.concat(stdout);
  return { code, bytes, stdout: bytes.toString(), stderr: Buffer.concat(stderr).toString() };
}
