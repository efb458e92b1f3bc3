/**
 * A whole host under emulation: a virtual machine whose kernel has a working `/dev/kvm`, since
 * QEMU's TCG emulates AMD's SVM with nested paging. It can be rebooted, saved with its memory, and
 * lose power.
 *
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ANY_ANSWER, QmpClient } from '../../src/engine/qemu/monitor/qmp.ts';
import { until } from '../e2e/processes.ts';
import {
  CommandChannel,
  type CommandOptions,
  type CommandResult,
  HostGone,
  type StartedCommand,
} from './channel.ts';

/** This machine's own emulator. */
export const QEMU = 'qemu-system-x86_64';
export const VIRTIOFSD = '/usr/libexec/virtiofsd';
/** The virtio-serial port that the host's agent opens. */
const PORT = 'a3s.host';
const MONITOR_MS = 30_000;
const READY_MS = 120_000;
const END_MS = 60_000;
const CLOCK_MS = 1_000;

export interface HostShare {
  readonly tag: string;
  readonly path: string;
  readonly readonly?: boolean;
}

export interface HostDisk {
  /**
   * A file, or what `-blockdev` takes as a JSON object, without its node-name: an NBD server's
   * socket, say.
   */
  readonly source: string | Readonly<Record<string, unknown>>;
  /** The format of a file: `raw` by default. */
  readonly format?: 'raw' | 'qcow2';
  readonly readonly?: boolean;
  /**
   * `/dev/disk/by-id/virtio-SERIAL` where udev runs, and `/sys/block/vdX/serial`. Disks are vda,
   * vdb, … in their order.
   */
  readonly serial?: string;
}

export interface HostSpec {
  /** A vmlinux or a bzImage. */
  readonly kernel: string;
  readonly initrd?: string;
  /** After `console=ttyS0 panic=-1 quiet`. */
  readonly append?: readonly string[];
  readonly memoryMiB?: number;
  readonly processors?: number;
  readonly disks?: readonly HostDisk[];
  readonly shares?: readonly HostShare[];
  readonly extra?: readonly string[];
  /** The emulator; this machine's own by default. */
  readonly qemu?: string;
  /** How QEMU emulates: multi-threaded by default. */
  readonly accelerator?: string;
  /** Goes on from what {@link EmulatedHost.saveMemory} wrote, with the same other fields. */
  readonly memory?: string;
}

/** What hosts of this process have on this machine, to be removed should it end before they do. */
const left = new Set<() => void>();
process.on('exit', () => {
  for (const remove of left) remove();
});
// A worker of Vitest whose runner was killed would otherwise wait for its test.
process.once('disconnect', () => process.exit(1));

const DEFAULTS = { memoryMiB: 6144, processors: 2, accelerator: 'tcg,thread=multi' };

/** A host that runs. Its caller ends it: `await using`, or `kill()`, which is also a power cut. */
export class EmulatedHost implements AsyncDisposable {
  readonly #directory: string;
  readonly #vmm: ChildProcess;
  readonly #daemons: readonly ChildProcess[];
  readonly #monitor: QmpClient;
  readonly #channel: CommandChannel;
  readonly #remove: () => void;
  /** Settles when its QEMU has ended, for whatever reason. */
  readonly ended: Promise<void>;

  private constructor(parts: {
    directory: string;
    vmm: ChildProcess;
    daemons: readonly ChildProcess[];
    monitor: QmpClient;
    channel: CommandChannel;
    ended: Promise<void>;
    remove: () => void;
  }) {
    this.#directory = parts.directory;
    this.#vmm = parts.vmm;
    this.#daemons = parts.daemons;
    this.#monitor = parts.monitor;
    this.#channel = parts.channel;
    this.ended = parts.ended;
    this.#remove = parts.remove;
  }

  /** Starts one. It boots while this has returned already: see {@link ready}. */
  static async start(spec: HostSpec): Promise<EmulatedHost> {
    const directory = mkdtempSync(join(tmpdir(), 'a3s-host-'));
    const children: ChildProcess[] = [];
    const remove = (): void => {
      for (const child of children) child.kill('SIGKILL');
      rmSync(directory, { recursive: true, force: true });
      left.delete(remove);
    };
    left.add(remove);
    try {
      const daemons = (spec.shares ?? []).map((share, index) =>
        serve(share, socketOf(directory, index)),
      );
      children.push(...daemons);
      await until('the shares are served', () =>
        daemons.every((daemon, index) => {
          if (daemon.exitCode !== null) throw new Error(`virtiofsd ended:\n${messages(daemon)}`);
          return existsSync(socketOf(directory, index));
        }),
      );
      const vmm = launch(spec.qemu ?? QEMU, hostArguments(spec, directory));
      children.push(vmm);
      const ended = new Promise<void>((resolve) => vmm.once('close', () => resolve()));
      const failed = ended.then(() => Promise.reject(new Error(`QEMU ended:\n${messages(vmm)}`)));
      const monitor = await Promise.race([
        QmpClient.connect(join(directory, 'qmp'), () => {}, AbortSignal.timeout(MONITOR_MS)),
        failed,
      ]);
      failed.catch(() => undefined);
      const channel = new CommandChannel(createConnection(join(directory, 'port')));
      const host = new EmulatedHost({ directory, vmm, daemons, monitor, channel, ended, remove });
      if (spec.memory !== undefined) await host.#load(spec.memory);
      return host;
    } catch (error) {
      await Promise.all(children.map(killed));
      remove();
      throw error;
    }
  }

  /** Returns when its agent runs commands. */
  async ready(deadlineMs = READY_MS): Promise<void> {
    const gone = this.ended.then(() => Promise.reject(new Error('the emulated host ended')));
    try {
      await Promise.race([this.run(['true'], { deadlineMs }), gone]);
    } catch (error) {
      throw new Error(`the emulated host did not come up; its console:\n${this.console()}`, {
        cause: error,
      });
    } finally {
      gone.catch(() => undefined);
    }
  }

  /**
   * Runs a program in there to its end, as root unless `setpriv` is part of it. Rejects at its
   * deadline.
   */
  async run(argv: readonly string[], options?: CommandOptions): Promise<CommandResult> {
    try {
      return await this.#channel.run(argv, options);
    } catch (error) {
      if (!(error instanceof HostGone)) throw error;
      await this.ended;
      throw new Error(`the emulated host ended: ${this.#end()}`, { cause: error });
    }
  }

  /** The same of a script, which must succeed; returns its output without the last newline. */
  async sh(script: string, options?: CommandOptions): Promise<string> {
    const { code, stdout, stderr } = await this.run(['sh', '-ec', script], options);
    if (code === 0) return stdout.toString().replace(/\n$/, '');
    throw new Error(`${code}: ${script}\n${stdout}${stderr}\nconsole:\n${this.console()}`);
  }

  /**
   * Sets its clock, which stood still while its memory was kept, to within {@link CLOCK_MS} of this
   * machine's.
   */
  async setClock(): Promise<void> {
    await until('its clock is set', async () => {
      // Starting a program can take it seconds, by which the time that it is given is old.
      const before = Date.now();
      await this.sh(`date -s @${before / 1000} >/dev/null`);
      return Date.now() - before < CLOCK_MS;
    });
  }

  #end(): string {
    const { exitCode, signalCode } = this.#vmm;
    const said = messages(this.#vmm);
    return `QEMU by ${signalCode ?? exitCode}\n${said}\nconsole:\n${this.console()}`;
  }

  /** Starts a program in there, whose input stays open. */
  command(argv: readonly string[], options?: CommandOptions): StartedCommand {
    return this.#channel.start(argv, options);
  }

  /** What its serial console said until now. */
  console(): string {
    const path = join(this.#directory, 'console');
    return existsSync(path) ? readFileSync(path, 'latin1') : '';
  }

  /** Asks its QEMU. */
  qmp(command: string, args: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    return this.#monitor.execute(command, args, ANY_ANSWER);
  }

  get pid(): number | undefined {
    return this.#vmm.pid;
  }

  /**
   * Shuts it down by a command in there, `busybox poweroff -f` by default, and returns when it is
   * off and its files are gone. Where systemd runs: `['systemctl', 'poweroff']`, which waits for
   * the services.
   */
  async powerOff(
    argv: readonly string[] = ['sh', '-c', 'sync; exec busybox poweroff -f'],
    deadlineMs = END_MS,
  ): Promise<void> {
    this.command(argv).result.catch(() => undefined);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(false), deadlineMs);
    });
    const off = await Promise.race([this.ended.then(() => true), late]);
    clearTimeout(timer);
    const said = this.console();
    await this.kill();
    if (!off) throw new Error(`the emulated host did not power off; its console:\n${said}`);
  }

  /** Cuts its power: QEMU is gone at once. Removes all that it had on this machine. */
  async kill(): Promise<void> {
    await Promise.all([this.#vmm, ...this.#daemons].map(killed));
    this.#monitor.close();
    this.#channel.close();
    this.#remove();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }

  /** Writes its memory and devices to a file, and ends it. No command may be running. */
  async saveMemory(path: string): Promise<void> {
    await this.qmp('migrate-set-capabilities', {
      capabilities: [{ capability: 'mapped-ram', state: true }],
    });
    await this.qmp('stop');
    await this.qmp('migrate', { uri: `file:${path}` });
    await this.#migrated();
    await this.kill();
  }

  async #load(path: string): Promise<void> {
    await this.qmp('migrate-set-capabilities', {
      capabilities: [{ capability: 'mapped-ram', state: true }],
    });
    await this.qmp('migrate-incoming', { uri: `file:${path}` });
    await this.#migrated();
    await this.qmp('cont');
  }

  async #migrated(): Promise<void> {
    await until('its memory is moved', async () => {
      const answer = (await this.qmp('query-migrate')) as MigrationInfo;
      const { status, 'error-desc': reason } = answer;
      if (status === 'failed')
        throw new Error(`cannot move its memory: ${reason}\n${messages(this.#vmm)}`);
      return status === 'completed';
    });
  }
}

/** Of QEMU's `query-migrate`. */
interface MigrationInfo {
  readonly status?: string;
  readonly 'error-desc'?: string;
}

function socketOf(directory: string, index: number): string {
  return join(directory, `share${index}`);
}

/** QEMU's command line. Exported for what has to know whether two hosts are alike. */
export function hostArguments(spec: HostSpec, directory: string): string[] {
  const { memoryMiB, processors, accelerator } = { ...DEFAULTS, ...spec };
  return [
    // Emulated, `rep movsb` goes byte by byte; the kernel uses it where it is promised to be fast.
    ...['-accel', accelerator, '-cpu', 'max,+svm,+npt,erms=off,fsrm=off'],
    ...['-machine', 'q35,memory-backend=memory,usb=off,sata=off,smbus=off,vmport=off'],
    ...['-object', `memory-backend-memfd,id=memory,size=${memoryMiB}M,share=on`],
    ...['-m', `${memoryMiB}M`, '-smp', String(processors)],
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
    ...['-kernel', spec.kernel],
    ...(spec.initrd === undefined ? [] : ['-initrd', spec.initrd]),
    ...['-append', ['console=ttyS0', 'panic=-1', 'quiet', ...(spec.append ?? [])].join(' ')],
    ...[
      '-chardev',
      `file,id=console,path=${join(directory, 'console')}`,
      '-serial',
      'chardev:console',
    ],
    ...['-chardev', `socket,id=monitor,path=${join(directory, 'qmp')},server=on,wait=off`],
    ...['-mon', 'chardev=monitor,mode=control'],
    ...['-device', 'virtio-serial-pci'],
    ...['-chardev', `socket,id=port,path=${join(directory, 'port')},server=on,wait=off`],
    ...['-device', `virtserialport,chardev=port,name=${PORT}`],
    ...['-device', 'virtio-rng-pci'],
    ...(spec.shares ?? []).flatMap(({ tag }, index) => [
      ...['-chardev', `socket,id=share${index},path=${socketOf(directory, index)}`],
      ...['-device', `vhost-user-fs-pci,chardev=share${index},tag=${tag}`],
    ]),
    ...(spec.disks ?? []).flatMap(diskArguments),
    ...(spec.memory === undefined ? [] : ['-incoming', 'defer']),
    ...(spec.extra ?? []),
  ];
}

function diskArguments(disk: HostDisk, index: number): string[] {
  const readonly = disk.readonly === true;
  const node =
    typeof disk.source === 'string'
      ? { driver: disk.format ?? 'raw', file: { driver: 'file', filename: disk.source } }
      : disk.source;
  return [
    ...[
      '-blockdev',
      JSON.stringify({ ...node, 'node-name': `disk${index}`, 'read-only': readonly }),
    ],
    ...[
      '-device',
      `virtio-blk-pci,drive=disk${index}${disk.serial === undefined ? '' : `,serial=${disk.serial}`}`,
    ],
  ];
}

function serve({ path, readonly }: HostShare, socket: string): ChildProcess {
  return launch(VIRTIOFSD, [
    ...[`--socket-path=${socket}`, `--shared-dir=${path}`],
    // Mount points would be automounts, which no overlay can lie over.
    '--no-announce-submounts',
    ...['--sandbox=none', '--cache=always', '--xattr', '--migration-mode=find-paths'],
    ...(readonly === true ? ['--readonly'] : []),
  ]);
}

const printed = new WeakMap<ChildProcess, Buffer[]>();

/** Ends with this process, however that does. */
function launch(program: string, args: readonly string[]): ChildProcess {
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', program, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const chunks: Buffer[] = [];
  printed.set(child, chunks);
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk));
  return child;
}

function messages(child: ChildProcess): string {
  return Buffer.concat(printed.get(child) ?? []).toString();
}

async function killed(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const closed = new Promise((resolve) => child.once('close', resolve));
  child.kill('SIGKILL');
  await closed;
}
