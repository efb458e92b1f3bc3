/**
 * An ordinary user who makes networks: for root a user without an account, behind a `/dev/net/tun`
 * that everybody may open, as Debian's may be.
 *
 * @module
 */
import { type ChildProcess, execFileSync, fork } from 'node:child_process';
import { accessSync, chmodSync, chownSync, constants, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Maker } from './maker.ts';

const UID = 64_322;
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

export class User extends Maker {
  /** With the program that makes networks, and what keeps their namespaces. */
  readonly standing = ['aardvark-dns', 'cat', 'node', 'pasta'];

  static async open(): Promise<User> {
    const user = new User();
    chmodSync(user.own, 0o700);
    if (isRoot) chownSync(user.own, UID, UID);
    await user.install();
    if (isRoot) {
      const tun = join(user.installation, 'tun');
      execFileSync('mknod', [tun, 'c', '10', '200']);
      chmodSync(tun, 0o666);
    }
    return user;
  }

  /** Says who may open the device; for root to say. */
  setTunMode(mode: number): void {
    chmodSync(join(this.installation, 'tun'), mode);
  }

  protected launch(program: string): ChildProcess {
    const node = [process.execPath];
    const asUser = ['setpriv', `--reuid=${UID}`, `--regid=${UID}`, '--clear-groups', ...node];
    const withTun = 'mount --bind "$0" /dev/net/tun && exec "$@"';
    const [execPath = '', ...execArgv] = isRoot
      ? ['unshare', '--mount', 'sh', '-c', withTun, join(this.installation, 'tun'), ...asUser]
      : node;
    const env = { PATH: process.env['PATH'] ?? '', HOME: this.own };
    return fork(program, [this.directory], { execPath, execArgv, env, cwd: '/' });
  }

  command(namespace: string, command: readonly string[]): [string, string[]] {
    const holder = readFileSync(join(this.directory, 'holder.pid'), 'utf8').trim();
    const enter = ['--target', holder, '--user', '--mount', '--preserve-credentials', '--'];
    const net = ['nsenter', `--net=${join(this.directory, 'places', namespace)}`, ...command];
    const asUser = ['setpriv', `--reuid=${UID}`, `--regid=${UID}`, '--clear-groups'];
    const [program = '', ...args] = [...(isRoot ? asUser : []), 'nsenter', ...enter, ...net];
    return [program, args];
  }
}
