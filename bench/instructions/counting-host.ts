/**
 * An emulated host with KVM whose QEMU counts what it executes.
 *
 * One virtual processor, and a clock that goes on by the instructions executed (`-icount`). While
 * the processor idles, the clock goes on by real time, so a slower machine may count more ticks.
 *
 * @module
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CommandOptions } from '../../test/host/channel.ts';
import { EmulatedHost } from '../../test/host/emulated-host.ts';
import { hostInitrd, ROOT_TAG, sharedRoot } from '../../test/host/initrd.ts';
import { between, type Counts, parseMarks } from './counts.ts';

const ROOT = join(import.meta.dirname, '../..');
const MARKED = '/run/marked';
/** Everything takes tens of times as long as on a host with KVM. */
const DEADLINE_MS = 600_000;
const WARNINGS = ['-O2', '-Wall', '-Wextra', '-Werror'];

export class CountingHost implements AsyncDisposable {
  readonly #host: EmulatedHost;
  readonly #countsFile: string;
  readonly #env: Readonly<Record<string, string>>;

  private constructor(host: EmulatedHost, countsFile: string) {
    this.#host = host;
    this.#countsFile = countsFile;
    this.#env = {
      PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
      HOME: '/root',
      LANG: 'C.UTF-8',
      A3S_HOME: '/run/home',
      XDG_RUNTIME_DIR: '/run/runtime',
    };
  }

  /** @param directory for its files; the caller removes it */
  static async start(directory: string): Promise<CountingHost> {
    const plugin = compile('plugin.c', directory, ['-shared', '-fPIC', '-fvisibility=hidden']);
    const marked = compile('marked.c', directory, ['-static']);
    const countsFile = join(directory, 'counts');
    writeFileSync(countsFile, '');
    const initrd = join(directory, 'initrd');
    writeFileSync(initrd, await hostInitrd({ script: sharedRoot() }));
    const host = await EmulatedHost.start({
      kernel: join(ROOT, 'dist/boot/vmlinux'),
      initrd,
      processors: 1,
      memoryMiB: 3072,
      shares: [{ tag: ROOT_TAG, path: '/' }],
      accelerator: 'tcg,thread=single',
      extra: ['-icount', 'shift=0', '-plugin', `${plugin},counts=${countsFile}`],
    });
    const counting = new CountingHost(host, countsFile);
    try {
      await host.ready(DEADLINE_MS);
      await counting.sh(`cat >${MARKED}; chmod 755 ${MARKED}; mkdir -m 700 /run/runtime`, {
        stdin: readFileSync(marked),
      });
      return counting;
    } catch (error) {
      await host.kill();
      throw error;
    }
  }

  /** Runs a script that must succeed; returns what it printed. */
  sh(script: string, options: CommandOptions = {}): Promise<string> {
    return this.#host.sh(script, { env: this.#env, deadlineMs: DEADLINE_MS, ...options });
  }

  /** Runs a command of this checkout that must succeed. */
  box(args: readonly string[], options: CommandOptions = {}): Promise<string> {
    return this.sh(words(boxCommand(args)), options);
  }

  /** What a command of this checkout takes, from its start to its end. */
  measureBox(args: readonly string[]): Promise<Counts> {
    return this.measure(boxCommand(args));
  }

  /** What a program takes that must succeed. */
  async measure(argv: readonly string[]): Promise<Counts> {
    const known = this.#marks().length;
    await this.sh(words([MARKED, ...argv]));
    const [before, after, ...more] = this.#marks().slice(known);
    if (before === undefined || after === undefined || more.length > 0) {
      throw new Error(`the plugin saw other marks than the two around ${words(argv)}`);
    }
    return between(before, after);
  }

  #marks(): readonly Counts[] {
    return parseMarks(readFileSync(this.#countsFile, 'utf8'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#host.kill();
  }
}

function boxCommand(args: readonly string[]): readonly string[] {
  return [process.execPath, '--', join(ROOT, 'dist/a3s-box.cjs'), ...args];
}

/** As a shell reads them. */
function words(argv: readonly string[]): string {
  return argv.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
}

function compile(source: string, directory: string, options: readonly string[]): string {
  const target = join(directory, source.replace(/\.c$/, options.includes('-shared') ? '.so' : ''));
  const path = join(import.meta.dirname, source);
  execFileSync('gcc', [...WARNINGS, ...options, '-o', target, path], { stdio: 'pipe' });
  return target;
}
