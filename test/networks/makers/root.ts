/**
 * Root, who makes networks as root's server does.
 *
 * @module
 */
import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import { Maker } from './maker.ts';

export class Root extends Maker {
  readonly standing = ['aardvark-dns', 'pasta'];

  static async open(): Promise<Root> {
    const root = new Root();
    await root.install();
    return root;
  }

  protected launch(program: string): ChildProcess {
    const env = { PATH: process.env['PATH'] ?? '' };
    return fork(program, [this.directory], { execArgv: [], env, cwd: '/' });
  }

  command(namespace: string, command: readonly string[]): [string, string[]] {
    return ['nsenter', [`--net=${join(this.directory, namespace)}`, ...command]];
  }
}
