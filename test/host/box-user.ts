/**
 * A user of an installed `a3s-box` on an emulated host: root, or an ordinary user.
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import type { Result } from '../e2e/actor.ts';
import type { Installation } from '../e2e/installation.ts';
import { slowHost } from '../e2e/time-scale.ts';
import type { EmulatedHost } from './emulated-host.ts';
import { TIME_SCALE } from './kvm-host.ts';

/** The share that has the installation, and where hosts mount it. */
export const INSTALLATION_TAG = 'installation';
const INSTALLATION = '/run/installation';

/** No account of this number exists; none is needed. */
const ORDINARY_UID = 64_321;
/** Only what hangs takes so long: a guest without KVM is emulated by what is emulated. */
const DEADLINE_MS = 900_000;

export type UserName = 'root' | 'ordinary user';

/** What is read of `a3s-box info --format json`. */
export interface HostInfo {
  readonly engines: readonly {
    readonly name: string;
    readonly version?: string;
    readonly accelerators: readonly Ability[];
  }[];
  readonly jail: Readonly<Record<'identity' | 'namespaces', boolean>> & {
    readonly reason?: string;
  };
  readonly MemTotal: number;
  readonly KernelVersion: string;
}

export interface Ability {
  readonly name: string;
  readonly available: boolean;
  readonly reason?: string;
}

export class BoxUser {
  readonly directory: string;
  readonly env: Readonly<Record<string, string>>;
  readonly #host: EmulatedHost;
  readonly #uid: number;

  private constructor(host: EmulatedHost, name: UserName) {
    this.#host = host;
    this.#uid = name === 'root' ? 0 : ORDINARY_UID;
    this.directory = `/tmp/user-${this.#uid}`;
    this.env = {
      PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
      HOME: this.directory,
      XDG_RUNTIME_DIR: `/run/user-${this.#uid}`,
      A3S_HOME: `${this.directory}/home`,
      LANG: 'C.UTF-8',
      ...slowHost(TIME_SCALE),
    };
  }

  /** Gives the user directories; the host has the installation mounted by then. */
  static async of(host: EmulatedHost, name: UserName): Promise<BoxUser> {
    const user = new BoxUser(host, name);
    const directories = `${user.directory} ${user.env['XDG_RUNTIME_DIR']}`;
    await host.sh(`mkdir -m 700 ${directories}; chown ${user.#uid}:${user.#uid} ${directories}`);
    return user;
  }

  /** Runs a command as this user. */
  async run(
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
    stdin?: Buffer,
  ): Promise<Result> {
    const cli = [process.execPath, '--', `${INSTALLATION}/dist/a3s-box.cjs`, ...args];
    const id = String(this.#uid);
    const drop = ['setpriv', '--reuid', id, '--regid', id, '--clear-groups'];
    const { code, stdout, stderr } = await this.#host.run(
      [...(this.#uid === 0 ? [] : drop), ...cli],
      {
        env: { ...this.env, ...env },
        cwd: this.directory,
        deadlineMs: DEADLINE_MS,
        ...(stdin === undefined ? {} : { stdin }),
      },
    );
    return { code, bytes: stdout, stdout: `${stdout}`, stderr: `${stderr}` };
  }

  /** Runs a command that must succeed; returns what it printed, without the last newline. */
  async ok(
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
    stdin?: Buffer,
  ): Promise<string> {
    const result = await this.run(args, env, stdin);
    if (result.code === 0) return result.stdout.trimEnd();
    throw new Error(
      `a3s-box ${args.join(' ')}: ${result.code}\n${result.stdout}${result.stderr}\n${this.#host.console()}`,
    );
  }

  /** Loads the image of busybox that an installation of the tests has. */
  async load(installation: Installation): Promise<void> {
    await this.ok(['load', '--quiet'], {}, readFileSync(installation.archives.busybox));
  }

  async info(env: Readonly<Record<string, string>> = {}): Promise<HostInfo> {
    return JSON.parse(await this.ok(['info', '--format', 'json'], env)) as HostInfo;
  }

  /** Ends this user's server, which keeps what it found out about the host as long as it runs. */
  async stopServer(): Promise<void> {
    await this.#host.sh(
      `pkill -TERM --uid ${this.#uid} -f 'server[.]cjs' || true; while pgrep --uid ${this.#uid} -f 'server[.]cjs' >/dev/null; do sleep 0.1; done`,
    );
  }
}

/**
 * Mounts the installation, as a host has to before anybody uses it, and opens `/dev/kvm` to
 * everybody.
 */
export async function prepareForUsers(host: EmulatedHost): Promise<void> {
  await host.sh(
    `mkdir ${INSTALLATION}; mount -t virtiofs ${INSTALLATION_TAG} ${INSTALLATION}; chmod 666 /dev/kvm`,
  );
}

/** What `info` says of QEMU with KVM. */
export function kvmOf(info: HostInfo): Ability | undefined {
  return info.engines
    .find(({ name }) => name === 'qemu')
    ?.accelerators.find(({ name }) => name === 'kvm');
}
