/**
 * The bundle as users run it, built into a directory of its own, with the socket that it will look for.
 *
 * @module
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { buildSync } from 'esbuild';
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
    this.#bundle('main.ts', this.bundle);
    this.#bundle('commands/attest/library.ts', join(this.directory, 'attestation.cjs'));
    this.#bundle('commands/policy/image-library.ts', join(this.directory, 'image-policy.cjs'));
    this.#bundle('../signing/library.ts', join(this.directory, 'signing.cjs'));
    this.#bundle('../../node_modules/commander/esm.mjs', join(this.directory, 'commander.cjs'));
  }

  #bundle(entry: string, outfile: string): void {
    buildSync({
      entryPoints: [join(import.meta.dirname, '..', entry)],
      outfile,
      bundle: true,
      platform: 'node',
      target: 'node20',
      format: 'cjs',
      conditions: ['a3s-source'],
      alias: {
        '#attestation': './attestation.cjs',
        '#image-policy': './image-policy.cjs',
        '#signing': './signing.cjs',
      },
      external: ['*/attestation.cjs', '*/image-policy.cjs', '*/signing.cjs'],
      logLevel: 'error',
    });
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
