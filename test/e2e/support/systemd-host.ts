/**
 * A host that systemd runs, beside this one: process 1 of namespaces of its own, with A3S Box
 * installed for all users.
 *
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { finish, type Result, type RunOptions } from '../actor.ts';
import type { Installation } from '../installation.ts';
import { until } from '../processes.ts';

const SCRIPT = join(import.meta.dirname, 'systemd-host.sh');
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const ORDINARY = '64321';

export type ServiceUser = 'root' | 'ordinary user';

export class SystemdHost {
  readonly #root: string;
  readonly #dist: string;
  #outside: ChildProcess | undefined;
  #init: number | undefined;
  #console = '';

  constructor(installation: Installation) {
    this.#root = mkdtempSync(join(tmpdir(), 'a3s-systemd-'));
    // Of the ordinary user's home.
    chmodSync(this.#root, 0o711);
    this.#dist = join(installation.root, 'dist');
  }

  /** Starts it, until its service manager takes commands. */
  async boot(): Promise<void> {
    const outside = spawn(SCRIPT, [this.#root, this.#dist], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH },
    });
    this.#outside = outside;
    for (const stream of [outside.stdout, outside.stderr]) {
      stream.on('data', (chunk: Buffer) => {
        this.#console += chunk.toString();
      });
    }
    try {
      await until('systemd runs', async () => {
        if (outside.exitCode !== null) throw new Error('systemd did not start');
        this.#init = childOf(outside.pid);
        if (this.#init === undefined) return false;
        return (await this.systemctl('is-active', 'multi-user.target')).code === 0;
      });
    } catch (error) {
      throw new Error(`${error instanceof Error ? error.message : error}\n${this.#console}`);
    }
  }

  /** Power off without a word: every process is gone at once. */
  async crash(): Promise<void> {
    const outside = this.#outside;
    if (outside === undefined) return;
    const ended = new Promise((resolve) => outside.once('close', resolve));
    if (this.#init === undefined) outside.kill('SIGKILL');
    else process.kill(this.#init, 'SIGKILL');
    await ended;
    this.#outside = undefined;
    this.#init = undefined;
    removeCgroup(basename(this.#root));
  }

  async remove(): Promise<void> {
    await this.crash();
    rmSync(this.#root, { recursive: true, force: true });
  }

  /** What its console said. */
  get console(): string {
    return this.#console;
  }

  systemctl(...args: readonly string[]): Promise<Result> {
    return this.#enter('root', ['systemctl', ...args]);
  }

  /** Of root's service manager, or the user's own. */
  manager(user: ServiceUser, ...args: readonly string[]): Promise<Result> {
    return this.#enter(user, ['systemctl', ...(user === 'root' ? [] : ['--user']), ...args]);
  }

  async property(user: ServiceUser, unit: string, name: string): Promise<string> {
    return (await this.manager(user, 'show', '--value', '--property', name, unit)).stdout.trim();
  }

  box(user: ServiceUser, args: readonly string[], options: RunOptions = {}): Promise<Result> {
    return this.#enter(user, ['a3s-box', ...args], options);
  }

  /** @returns standard output of a command that must succeed, without the last newline */
  async ok(user: ServiceUser, args: readonly string[], options: RunOptions = {}): Promise<string> {
    const { code, stdout, stderr } = await this.box(user, args, options);
    if (code === 0) return stdout.trimEnd();
    throw new Error(`a3s-box ${args.join(' ')}: ${code}\n${stdout}${stderr}\n${this.#console}`);
  }

  /**
   * The process ids, in there, of the boxes' VMs: a probe of KVM, whose UUID is zero, comes and
   * goes.
   */
  async vmms(): Promise<readonly string[]> {
    const { stdout } = await this.#enter('root', ['pgrep', '-a', '-f', '^/usr/bin/qemu-system']);
    return stdout
      .split('\n')
      .filter((line) => line !== '' && !line.includes(' -uuid 00000000-'))
      .map((line) => line.slice(0, line.indexOf(' ')));
  }

  async kill(pid: string, signal: string): Promise<void> {
    await this.#enter('root', ['kill', `-${signal}`, pid]);
  }

  async write(path: string, text: string): Promise<void> {
    const script = 'mkdir -p "$(dirname "$1")" && cat >"$1"';
    const written = await this.#enter('root', ['sh', '-c', script, 'sh', path], { stdin: text });
    if (written.code !== 0) throw new Error(`cannot write ${path}: ${written.stderr}`);
  }

  #enter(user: ServiceUser, command: readonly string[], options: RunOptions = {}): Promise<Result> {
    const namespaces = ['--target', String(this.#init), '--mount', '--pid', '--cgroup', '--ipc'];
    const identity =
      user === 'root'
        ? []
        : ['setpriv', '--reuid', ORDINARY, '--regid', ORDINARY, '--clear-groups'];
    const env =
      user === 'root'
        ? { PATH, HOME: '/root' }
        : { PATH, HOME: join(this.#root, 'home'), XDG_RUNTIME_DIR: `/run/user/${ORDINARY}` };
    const child = spawn('nsenter', [...namespaces, '--', ...identity, ...command], {
      env: { ...env, ...options.env },
      cwd: '/',
    });
    return finish(child, options);
  }
}

function childOf(pid: number | undefined): number | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
    return text === '' ? undefined : Number(text.split(' ')[0]);
  } catch {
    return undefined;
  }
}

/** What systemd made in there goes from the leaves on. */
function removeCgroup(name: string): void {
  const mounted = /^\S+ (\S+) cgroup2 /m.exec(readFileSync('/proc/mounts', 'utf8'))?.[1];
  if (mounted === undefined) return;
  const remove = (path: string): void => {
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      if (entry.isDirectory()) remove(join(path, entry.name));
    }
    rmdirSync(path);
  };
  remove(join(mounted, name));
}
