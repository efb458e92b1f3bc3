/**
 * The emulated host that the tests with KVM share: this machine's programs, the product installed,
 * and a home with the test images, whose probe of KVM has said yes.
 *
 * @module
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readConfig } from '../../src/config.ts';
import type { Installation } from '../e2e/installation.ts';
import { slowHost } from '../e2e/time-scale.ts';
import type { CommandOptions } from './channel.ts';
import { qemuProgramOf } from './debian.ts';
import type { EmulatedHost, HostSpec } from './emulated-host.ts';
import { preparedHost } from './host-memory.ts';
import { hostInitrd, ROOT_TAG, sharedRoot } from './initrd.ts';

const ROOT = join(import.meta.dirname, '../..');
const INSTALLED = '/opt/a3s-box';
const CLI = `${INSTALLED}/a3s-box.cjs`;
const DIRECTORY = '/tmp/user';

/**
 * How many times as long everything may take there as on this machine: an emulated processor has to
 * emulate the guests' as well.
 */
export const TIME_SCALE = 6;

const ENVIRONMENT = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  HOME: DIRECTORY,
  LANG: 'C.UTF-8',
  A3S_HOME: `${DIRECTORY}/home`,
  ...slowHost(TIME_SCALE),
};

/** Its address on a network that leads nowhere. */
export const ADDRESS = '192.168.76.15';
const NETWORK = `
busybox ip link set eth0 up
busybox ip addr add ${ADDRESS}/24 dev eth0
busybox ip route add default via 192.168.76.2
`;

/** For ordinary users: no udev gives it to the group kvm. */
const OPEN_KVM = 'chmod 666 /dev/kvm\n';

/** Only what hangs takes so long. */
const DEADLINE_MS = 600_000;

export interface BoxResult {
  readonly code: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

/** `a3s-box` in there, as root, with one home. */
export class KvmHost {
  readonly host: EmulatedHost;
  readonly #environment: Readonly<Record<string, string>>;

  /** @param more variables, such as another `A3S_HOME`, which has a server of its own */
  constructor(host: EmulatedHost, more: Readonly<Record<string, string>> = {}) {
    this.host = host;
    this.#environment = { ...ENVIRONMENT, ...more };
  }

  /** The argument vector of a command of `a3s-box`. */
  command(args: readonly string[]): readonly string[] {
    return ['node', '--', CLI, ...args];
  }

  /** Runs a command of `a3s-box` to its end. */
  async run(args: readonly string[], options: CommandOptions = {}): Promise<BoxResult> {
    return this.program(this.command(args), options);
  }

  /** Runs any program with the same environment. */
  async program(argv: readonly string[], options: CommandOptions = {}): Promise<BoxResult> {
    const { code, stdout, stderr } = await this.host.run(argv, {
      ...{ env: this.#environment, cwd: DIRECTORY, deadlineMs: DEADLINE_MS },
      ...options,
    });
    return { code, stdout: stdout.toString(), stderr: stderr.toString() };
  }

  /** The same with an input that does not end: at its end `script` would type a NUL. */
  async typed(argv: readonly string[]): Promise<string> {
    const { result } = this.host.command(argv, { env: this.#environment, cwd: DIRECTORY });
    return (await result).stdout.toString();
  }

  /** A command that must succeed; returns its output without the last newline. */
  async ok(args: readonly string[], options?: CommandOptions): Promise<string> {
    const { code, stdout, stderr } = await this.run(args, options);
    if (code === 0) return stdout.trimEnd();
    throw new Error(`a3s-box ${args.join(' ')}: ${code}\n${stdout}${stderr}`);
  }

  /**
   * The same of Docker's client, which starts in a fraction of the time: for questions. It starts
   * no server.
   */
  async docker(args: readonly string[]): Promise<string> {
    const { socket } = readConfig(this.#environment, 0, INSTALLED);
    const argv = ['docker', '--host', `unix://${socket}`, ...args];
    const { code, stdout, stderr } = await this.program(argv);
    if (code === 0) return stdout.trimEnd();
    throw new Error(`docker ${args.join(' ')}: ${code}\n${stdout}${stderr}`);
  }

  /** The one object that `inspect` prints of a box. */
  async inspect(box: string): Promise<Inspected> {
    const [found] = JSON.parse(await this.docker(['inspect', box])) as [Inspected];
    return found;
  }

  /** Process ids of what runs there with these words in its command line. */
  async pids(pattern: string): Promise<readonly string[]> {
    return (await this.processes(pattern)).map((line) => line.split(' ')[0] ?? '');
  }

  /** Process ids and command lines of what runs there with these words in its command line. */
  async processes(pattern: string): Promise<readonly string[]> {
    const { stdout } = await this.program(['pgrep', '--full', '--list-full', pattern]);
    return stdout.split('\n').filter((line) => line !== '');
  }
}

/** What the tests read of `inspect`. */
export interface Inspected {
  readonly Id: string;
  readonly State: {
    readonly Status: string;
    readonly ExitCode: number;
    readonly OOMKilled: boolean;
  };
  readonly RestartCount: number;
  readonly Machine: { readonly Start: string } | null;
}

export interface KvmHostOptions {
  /** Whether to keep its memory where none is kept, for callers that start many. */
  readonly keep: boolean;
  /** The emulator; this machine's own by default. */
  readonly qemu?: string;
}

/**
 * The emulator of hosts that run for long: with QEMU 10.0 of Debian 13 those lose interrupts where
 * a processor runs guests, and idle for minutes or panic.
 */
export function lastingQemu(): Promise<string> {
  return qemuProgramOf('trixie-backports');
}

/** Starts it, from its kept memory where nothing changed. */
export async function startKvmHost(
  installation: Installation,
  { keep, qemu }: KvmHostOptions,
): Promise<KvmHost> {
  const initrd = join(ROOT, 'build/host/kvm.initrd');
  mkdirSync(join(ROOT, 'build/host'), { recursive: true });
  writeFileSync(initrd, await hostInitrd({ script: `${OPEN_KVM}${sharedRoot()}` }));
  const spec: HostSpec = {
    kernel: join(ROOT, 'dist/boot/vmlinux'),
    initrd,
    shares: [{ tag: ROOT_TAG, path: '/' }],
    ...(qemu === undefined ? {} : { qemu }),
    extra: [
      ...['-netdev', 'user,id=net,net=192.168.76.0/24,restrict=on'],
      ...['-device', 'virtio-net-pci,netdev=net,romfile='],
    ],
  };
  const { busybox } = installation.archives;
  const host = await preparedHost({
    ...{ name: 'kvm', spec, inputs: [join(ROOT, 'dist'), busybox], keep },
    // Its server runs on, in memory.
    prepare: async (booted) => {
      await booted.sh(NETWORK);
      await booted.sh(`cp -a ${ROOT}/dist ${INSTALLED}; mkdir -p ${DIRECTORY}/home`);
      const user = new KvmHost(booted);
      await user.ok(['load', '--quiet'], { stdin: readFileSync(busybox) });
      const info = await user.ok(['info', '--format', '{{json .engines}}']);
      if (!info.includes('"name":"kvm","available":true')) throw new Error(`no KVM: ${info}`);
    },
  });
  return new KvmHost(host);
}
