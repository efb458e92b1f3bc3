/**
 * A server that makes networks, in a process of its own which a test can kill, and the processes
 * and files of these networks.
 *
 * @module
 */
import { type ChildProcess, execFile, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
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
import { statOf } from '../../../src/processes/fence.ts';
import type { Asked } from './server.ts';

const ROOT = join(import.meta.dirname, '../../..');

interface Found {
  readonly pid: number;
  readonly args: readonly string[];
}

export abstract class Maker {
  /** Where others find the programs. */
  protected readonly installation: string;
  /** Of the user alone. */
  protected readonly own: string;
  /** Of the networks. */
  readonly directory: string;
  #server: ChildProcess | undefined;

  constructor() {
    const parent = mkdtempSync(join(tmpdir(), 'a3s-maker-'));
    chmodSync(parent, 0o755);
    this.installation = join(parent, 'installation');
    this.own = join(parent, 'own');
    this.directory = join(this.own, 'networks');
    mkdirSync(this.own, { mode: 0o711 });
    mkdirSync(this.installation, { mode: 0o755 });
  }

  /** The names of the programs that run for networks with boxes. */
  abstract readonly standing: readonly string[];
  /** Runs the program with an IPC channel. */
  protected abstract launch(program: string): ChildProcess;
  /** What runs a program in a namespace of these networks, by the name of its file. */
  abstract command(namespace: string, command: readonly string[]): [string, string[]];

  /** Makes the programs. */
  protected async install(): Promise<void> {
    for (const name of ['networks.cjs', 'egress.cjs', 'node_modules']) {
      cpSync(join(ROOT, 'dist', name), join(this.installation, name), { recursive: true });
    }
    await build({
      ...{ entryPoints: [join(import.meta.dirname, 'server.ts')], bundle: true, platform: 'node' },
      ...{
        format: 'cjs',
        target: 'node20',
        conditions: ['a3s-source'],
        external: ['koffi'],
        logLevel: 'error',
      },
      define: { 'import.meta.dirname': '__dirname' },
      outfile: join(this.installation, 'server.cjs'),
    });
    execFileSync('chmod', ['-R', 'a+rX', this.installation]);
  }

  /** Starts a server, in place of one that has ended. */
  async start(): Promise<void> {
    this.#server = this.launch(join(this.installation, 'server.cjs'));
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
    if (server.exitCode !== null || server.signalCode !== null) return;
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

  /**
   * Kills programs of the networks by parts of their paths, those included that the server or
   * another of them has just started.
   *
   * @returns how many there were
   */
  kill(...names: readonly string[]): number {
    const victims = [...this.#found(), ...this.#started()].filter(({ args }) =>
      names.some((name) => args[0]?.includes(name)),
    );
    for (const { pid } of victims) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch (error) {
        // It has ended by itself.
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
      }
    }
    return new Set(victims.map(({ pid }) => pid)).size;
  }

  /** The lines about one of these programs in its status. */
  status(name: string): string {
    const { pid } = this.#found().find(({ args }) => args[0]?.endsWith(name)) ?? {};
    return readFileSync(`/proc/${pid}/status`, 'utf8');
  }

  /** Programs whose arguments name the directory. */
  #found(): Found[] {
    return this.#others().filter(({ args }) => args.some((arg) => arg.startsWith(this.directory)));
  }

  /** Programs below the server and below those, which may have any arguments. */
  #started(): Found[] {
    const all = this.#others().flatMap((each) => {
      const parent = statOf(each.pid)?.parent;
      return parent === undefined ? [] : [{ ...each, parent }];
    });
    const server = this.#server?.pid;
    const above = new Set(this.#found().map(({ pid }) => pid));
    if (server !== undefined) above.add(server);
    for (let before = -1; before !== above.size; ) {
      before = above.size;
      for (const { pid, parent } of all) if (above.has(parent)) above.add(pid);
    }
    return all.filter(({ parent }) => above.has(parent));
  }

  #others(): Found[] {
    return readdirSync('/proc').flatMap((name) => {
      const pid = Number(name);
      if (!Number.isInteger(pid) || pid === this.#server?.pid || pid === process.pid) return [];
      try {
        return [{ pid, args: readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0') }];
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

  /** Nothing is left of the networks. */
  remains(): string[] {
    return [
      ...(existsSync(this.directory) ? [this.directory] : []),
      ...this.#mounts(),
      ...this.processes(),
    ];
  }

  /** Where something is mounted below the directory. */
  #mounts(): string[] {
    const lines = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
    const points = lines.flatMap((line) => line.split(' ')[4] ?? []);
    return points.filter((point) => point.startsWith(this.directory));
  }

  /** With what a test that failed has left of the networks. */
  async close(): Promise<void> {
    await this.crash();
    this.kill('');
    for (const point of this.#mounts()) execFileSync('umount', ['--lazy', point]);
    rmSync(join(this.own, '..'), { recursive: true, force: true });
  }
}
