/**
 * podman with runc as root, the peer that boxes are compared with.
 *
 * It runs in mount, network and process namespaces of its own, with storage of its own. Everything
 * that it starts ends with the last process in them, also when this process is killed: mounts,
 * bridges, firewall rules and containers go too, and it never sees those of the host's own podman.
 * Cgroups are outside of these namespaces, so they have one name and are removed by it.
 *
 * A small process inside starts podman, as this one starts `a3s-box`: entering the namespaces each
 * time would cost podman a millisecond.
 *
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { BUSYBOX } from '../../test/e2e/installation.ts';
import { until } from '../../test/e2e/processes.ts';
import { controlGroups, removeGroup } from '../../test/peers/control-groups.ts';
import { writePodmanConfiguration } from '../../test/peers/podman-configuration.ts';

export interface PeerQuestion {
  readonly id: number;
  readonly program: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly deadlineMs: number;
}

export interface PeerAnswer {
  readonly id: number;
  readonly code: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

/** The image of the tests, as podman calls it. */
export const PODMAN_IMAGE = `localhost/${BUSYBOX}`;

const COMMAND_MS = 120_000;
const STOP_MS = 10_000;

/**
 * The first process inside. podman keeps state below `/run` and `/var/lib` wherever its storage is,
 * so both are empty here. A shell, and one that waits: it reaps what loses its parent, as a first
 * process has to.
 */
const FIRST_PROCESS = `set -e
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /var/lib
ip link set lo up
"$@"
exit $?`;

export class Podman {
  readonly #peer: ChildProcess;
  readonly #directory: string;
  readonly #configuration: string;
  readonly #waiting = new Map<number, (answer: PeerAnswer) => void>();
  /** Settles when everything inside is gone, with what was said there last. */
  readonly #ended: Promise<string>;
  #nextId = 1;

  private constructor(directory: string) {
    this.#directory = directory;
    this.#configuration = writePodmanConfiguration(directory);
    const namespaces = ['--mount', '--net', '--pid', '--fork', '--kill-child', '--mount-proc'];
    const node = [
      process.execPath,
      ...process.execArgv,
      join(import.meta.dirname, 'podman-peer.ts'),
    ];
    this.#peer = spawn('unshare', [...namespaces, 'sh', '-c', FIRST_PROCESS, 'sh', ...node], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.#peer.on('message', (message) => {
      if (message !== 'ready') this.#receive(message as PeerAnswer);
    });
    this.#ended = this.#end();
    void this.#ended.then((stderr) => {
      const code = 'the end of its namespaces';
      for (const id of this.#waiting.keys()) this.#receive({ id, code, stdout: '', stderr });
    });
  }

  /**
   * Runs `use` with a podman that has the image of the archive, and removes the image afterwards.
   */
  static async with<T>(archive: string, use: (podman: Podman) => Promise<T>): Promise<T> {
    const directory = mkdtempSync(join(tmpdir(), 'a3s-podman-'));
    const podman = new Podman(directory);
    try {
      await podman.#ready();
      await podman.ok(['load', '--quiet', '--input', archive]);
      return await use(podman);
    } finally {
      await podman.#stop();
    }
  }

  /** Runs a command that must succeed, and returns its output without the last newline. */
  async ok(args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.#ask(this.#podman(args));
    if (code === 0) return stdout.trimEnd();
    throw new Error(`podman ${args.join(' ')}: ${code}\n${stdout}${stderr}`);
  }

  /** `podman --runtime runc run`, with what keeps its traces together. */
  run(args: readonly string[]): Promise<string> {
    return this.ok(['run', '--cgroup-parent', `/${basename(this.#directory)}`, ...args]);
  }

  /** The same of `create`. */
  create(args: readonly string[]): Promise<string> {
    return this.ok(['create', '--cgroup-parent', `/${basename(this.#directory)}`, ...args]);
  }

  /** Runs another program where podman runs, as a client or a server of its containers. */
  async beside(command: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.#ask(command);
    if (code === 0) return stdout.trimEnd();
    throw new Error(`${command.join(' ')}: ${code}\n${stdout}${stderr}`);
  }

  #podman(args: readonly string[]): readonly string[] {
    const at = (name: string): string => join(this.#directory, name);
    const storage = ['--root', at('root'), '--runroot', at('run'), '--storage-driver', 'overlay'];
    return ['podman', '--runtime', 'runc', ...storage, ...args];
  }

  #ask([program = '', ...args]: readonly string[]): Promise<PeerAnswer> {
    const id = this.#nextId++;
    const env = {
      PATH: process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin',
      HOME: this.#directory,
      CONTAINERS_CONF: this.#configuration,
      PODMAN_IGNORE_CGROUPSV1_WARNING: '1',
    };
    const question: PeerQuestion = { id, program, args, env, deadlineMs: COMMAND_MS };
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, resolve);
      this.#peer.send(question, (error) => {
        if (error !== null) reject(error);
      });
    });
  }

  #receive(answer: PeerAnswer): void {
    this.#waiting.get(answer.id)?.(answer);
    this.#waiting.delete(answer.id);
  }

  async #ready(): Promise<void> {
    const ended = this.#ended.then((stderr) => {
      throw new Error(
        `Cannot make the namespaces that podman is measured in: ${stderr.trim()}. That takes root with CAP_SYS_ADMIN.`,
      );
    });
    await Promise.race([once(this.#peer, 'message'), ended]);
  }

  async #end(): Promise<string> {
    // Not its `close`: that never comes once the channel was closed from here.
    const exited = once(this.#peer, 'exit').then(
      () => '',
      (error: Error) => error.message,
    );
    const { stderr } = this.#peer;
    const words = await Promise.all([stderr === null ? '' : text(stderr), exited]);
    return words.join('');
  }

  async #stop(): Promise<void> {
    const deadline = setTimeout(() => this.#peer.kill('SIGKILL'), STOP_MS);
    if (this.#peer.connected) this.#peer.disconnect();
    await this.#ended;
    clearTimeout(deadline);
    for (const path of controlGroups(basename(this.#directory))) {
      // The kernel takes its time with the dead.
      await until(`${path} is empty`, () => removeGroup(path));
    }
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
