/**
 * An ordinary user who makes networks: for root a user without an account, behind a `/dev/net/tun`
 * that everybody may open, as Debian's may be.
 *
 * @module
 */
import { type ChildProcess, execFile, execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import {
  accessSync,
  chmodSync,
  chownSync,
  constants,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import type { Asked } from './server.ts';

const UID = 64_322;
const ROOT = join(import.meta.dirname, '../../..');
const isRoot = process.geteuid?.() === 0;

/** Whether these tests can run: always as root, and else where this user may open the device. */
export function canRun(): boolean {
  if (isRoot) return true;
  try {
    accessSync('/dev/net/tun', constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

export class User {
  /** Of the user alone. */
  readonly #own: string;
  readonly #installation: string;
  /** Of the networks. */
  readonly directory: string;
  #server: ChildProcess | undefined;

  private constructor(parent: string) {
    this.#installation = join(parent, 'installation');
    this.#own = join(parent, 'own');
    this.directory = join(this.#own, 'networks');
  }

  static async open(): Promise<User> {
    const parent = mkdtempSync(join(tmpdir(), 'a3s-rootless-'));
    chmodSync(parent, 0o755);
    const user = new User(parent);
    mkdirSync(user.#own, { mode: 0o700 });
    if (isRoot) chownSync(user.#own, UID, UID);
    mkdirSync(user.#installation, { mode: 0o755 });
    for (const name of ['networks.cjs', 'egress.cjs', 'node_modules']) {
      cpSync(join(ROOT, 'dist', name), join(user.#installation, name), { recursive: true });
    }
    await build({
      ...{ entryPoints: [join(import.meta.dirname, 'server.ts')], bundle: true, platform: 'node' },
      ...{ format: 'cjs', conditions: ['a3s-source'], external: ['koffi'], logLevel: 'error' },
      define: { 'import.meta.dirname': '__dirname' },
      outfile: join(user.#installation, 'server.cjs'),
    });
    execFileSync('chmod', ['-R', 'a+rX', user.#installation]);
    if (isRoot) {
      const tun = join(user.#installation, 'tun');
      execFileSync('mknod', [tun, 'c', '10', '200']);
      chmodSync(tun, 0o666);
    }
    return user;
  }

  /** Says who may open the device; for root to say. */
  setTunMode(mode: number): void {
    chmodSync(join(this.#installation, 'tun'), mode);
  }

  /** Starts a server, in place of one that has ended. */
  async start(): Promise<void> {
    const node = [process.execPath];
    const asUser = ['setpriv', `--reuid=${UID}`, `--regid=${UID}`, '--clear-groups', ...node];
    const withTun = 'mount --bind "$0" /dev/net/tun && exec "$@"';
    const [execPath = '', ...execArgv] = isRoot
      ? ['unshare', '--mount', 'sh', '-c', withTun, join(this.#installation, 'tun'), ...asUser]
      : node;
    const env = { PATH: process.env['PATH'] ?? '', HOME: this.#own };
    const program = join(this.#installation, 'server.cjs');
    this.#server = fork(program, [this.directory], { execPath, execArgv, env, cwd: '/' });
    await this.#answered(this.#server);
  }

  async ask(asked: Asked): Promise<unknown> {
    if (this.#server === undefined) throw new Error('there is no server');
    this.#server.send(asked);
    return await this.#answered(this.#server);
  }

  async #answered(server: ChildProcess): Promise<unknown> {
    const done = new AbortController();
    const { signal } = done;
    const ended = once(server, 'close', { signal }).then(() => [{ failure: { message: 'ended' } }]);
    const said = once(server, 'message', { signal });
    const [{ failure, value }] = await Promise.race([said, ended]);
    done.abort();
    if (failure === undefined) return value;
    throw Object.assign(new Error(failure.message), { code: failure.code });
  }

  /** Ends the server as a crash would. */
  async crash(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    const ended = once(server, 'close');
    server.kill('SIGKILL');
    await ended;
  }

  /** The names of the programs that run for the networks. */
  processes(): string[] {
    return this.#found()
      .map(({ args }) => (/[^/]*$/.exec(args[0] ?? '')?.[0] ?? '').replace(/\..*/, ''))
      .sort();
  }

  kill(...names: readonly string[]): void {
    for (const { pid, args } of this.#found()) {
      if (!names.some((name) => args[0]?.includes(name))) continue;
      try {
        process.kill(pid, 'SIGKILL');
      } catch (error) {
        // It has ended by itself.
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
      }
    }
  }

  /** The lines about one of these programs in its status. */
  status(name: string): string {
    const { pid } = this.#found().find(({ args }) => args[0]?.endsWith(name)) ?? {};
    return readFileSync(`/proc/${pid}/status`, 'utf8');
  }

  #found(): { pid: number; args: string[] }[] {
    return readdirSync('/proc').flatMap((name) => {
      const pid = Number(name);
      if (!Number.isInteger(pid) || pid === this.#server?.pid) return [];
      try {
        const args = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
        return args.some((arg) => arg.startsWith(this.directory)) ? [{ pid, args }] : [];
      } catch {
        return [];
      }
    });
  }

  /** Runs a program in a namespace of these networks, by the name of its file. */
  async inside(namespace: string, ...command: readonly string[]): Promise<string> {
    const [program, args] = this.command(namespace, command);
    return (await promisify(execFile)(program, args, { cwd: '/' })).stdout;
  }

  /** What runs a program there. */
  command(namespace: string, command: readonly string[]): [string, string[]] {
    const holder = readFileSync(join(this.directory, 'holder.pid'), 'utf8').trim();
    const enter = ['--target', holder, '--user', '--mount', '--preserve-credentials', '--'];
    const net = ['nsenter', `--net=${join(this.directory, 'places', namespace)}`, ...command];
    const asUser = ['setpriv', `--reuid=${UID}`, `--regid=${UID}`, '--clear-groups'];
    const [program = '', ...args] = [...(isRoot ? asUser : []), 'nsenter', ...enter, ...net];
    return [program, args];
  }

  /** Nothing is left of the networks. */
  remains(): string[] {
    return [...(existsSync(this.directory) ? [this.directory] : []), ...this.processes()];
  }

  async close(): Promise<void> {
    await this.crash();
    rmSync(join(this.#own, '..'), { recursive: true, force: true });
  }
}
