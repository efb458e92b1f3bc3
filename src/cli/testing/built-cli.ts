/**
 * The command line as users run it, built into its own directory, with the socket that it will use.
 *
 * @module
 */
import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type Config, readConfig } from '../../config.ts';

export class BuiltCli {
  readonly directory = mkdtempSync(join(tmpdir(), 'a3s-built-'));
  readonly env: Record<string, string>;
  readonly config: Config;
  readonly bundle = join(this.directory, 'a3s-box.cjs');

  constructor() {
    this.env = {
      PATH: process.env['PATH'] ?? '',
      A3S_HOME: join(this.directory, 'home'),
      XDG_RUNTIME_DIR: this.directory,
    };
    this.config = readConfig(this.env, process.geteuid?.() ?? 0, this.directory);
    const build = join(import.meta.dirname, '../../../scripts/build.mjs');
    execFileSync(process.execPath, [build, this.directory]);
  }

  spawn(...args: string[]): ChildProcessWithoutNullStreams {
    return spawn(process.execPath, [this.bundle, ...args], { env: this.env });
  }

  remove(): void {
    rmSync(this.directory, { recursive: true });
    if (!this.config.runtimeDir.startsWith(this.directory)) {
      rmSync(dirname(this.config.socket), { recursive: true, force: true });
    }
  }
}
