/**
 * A control server over fakes that builds images: its store, and its builder, are real.
 *
 * @module
 */
import { type ChildProcess, execFile, execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import {
  type TemporaryStore,
  temporaryStore,
} from '../../../src/images/testing/temporary-store.ts';
import { TestHome } from '../../../src/server/testing/home.ts';
import {
  type BuilderOptions,
  type BuilderService,
  startBuilderService,
} from '../../peers/builder-service.ts';

export interface Ran {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface DockerOptions {
  /** Where it runs. */
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** What it reads on its standard input. */
  readonly input?: string | Buffer;
  /** Gets the running client. */
  readonly running?: (child: ChildProcess) => void;
}

/** Only what hangs takes so long. */
const CLIENT_MS = 300_000;

/** An image with a shell, made from the files of the context alone. */
export const BASE = 'FROM scratch\nCOPY busybox /bin/sh\nRUN echo made > /made\nENV A=b\n';

export class BuildHome {
  readonly home: TestHome;
  readonly service: BuilderService;
  readonly directory = mkdtempSync(join(tmpdir(), 'a3s-build-'));
  readonly #store: TemporaryStore;

  private constructor(service: BuilderService, store: TemporaryStore) {
    this.service = service;
    this.#store = store;
    this.home = new TestHome(store.store);
    this.home.builders = service.builders;
  }

  /** @param prepare gives the server what it has beside a builder */
  static async start(
    prepare: (made: BuildHome) => void | Promise<void> = () => undefined,
    options: BuilderOptions = {},
  ): Promise<BuildHome> {
    const service = await startBuilderService(options);
    if (service === undefined) throw new Error('dockerd or containerd or runc is not installed');
    let made: BuildHome | undefined;
    try {
      made = new BuildHome(service, await temporaryStore());
      await prepare(made);
      await made.home.start();
      return made;
    } catch (error) {
      // Nobody else knows of it.
      await (made?.remove() ?? service.stop());
      throw error;
    }
  }

  /** Where its images are. */
  get store(): string {
    return this.#store.root;
  }

  async remove(): Promise<void> {
    try {
      await this.home.remove();
      this.#store.remove();
    } finally {
      await this.service.stop();
      rmSync(this.directory, { recursive: true });
    }
  }

  /** A directory to build from, with busybox and what else it is given. */
  context(dockerfile: string, files: Readonly<Record<string, string>> = {}): string {
    const path = mkdtempSync(join(this.directory, 'context-'));
    cpSync('/bin/busybox', join(path, 'busybox'));
    for (const [name, text] of Object.entries({ Dockerfile: dockerfile, ...files })) {
      mkdirSync(join(path, name, '..'), { recursive: true });
      writeFileSync(join(path, name), text);
    }
    return path;
  }

  /** Runs the real client against the server. */
  docker(args: readonly string[], options: DockerOptions = {}): Promise<Ran> {
    return this.#run('docker', args, `unix://${this.home.config.socket}`, options);
  }

  /** Runs another client against the server. */
  run(
    program: string,
    args: readonly string[],
    env: Readonly<Record<string, string>>,
    options: Omit<DockerOptions, 'env'> = {},
  ): Promise<Ran> {
    return this.#run(program, args, `unix://${this.home.config.socket}`, { ...options, env });
  }

  /** Runs the real client against the builder itself, to look into it. */
  async inBuilder(args: readonly string[]): Promise<string> {
    return (await this.#run('docker', args, `unix://${this.service.socket}`)).stdout;
  }

  /**
   * Where the builder without BuildKit was used, what removing the builder does: the content that
   * its engine holds is given up, and nothing is known about the new one.
   */
  renewAfterClassic(): void {
    const record = join(this.home.config.home, 'build/default.policy');
    if (!existsSync(record) || !readFileSync(record, 'utf8').endsWith('\nclassic')) return;
    rmSync(record);
    const leases = this.ctr('leases', 'ls', '--quiet').split('\n');
    for (const lease of leases) if (lease !== '') this.ctr('leases', 'rm', lease);
  }

  /** Runs containerd's client against the builder. */
  ctr(...words: readonly string[]): string {
    const socket = join(dirname(this.service.socket), 'run/containerd/containerd.sock');
    return execFileSync('ctr', ['-a', socket, '-n', 'moby', ...words], { encoding: 'utf8' });
  }

  #run(
    program: string,
    args: readonly string[],
    host: string,
    { cwd, env: more, input, running = () => undefined }: DockerOptions = {},
  ): Promise<Ran> {
    const env = { ...process.env, HOME: this.directory, DOCKER_HOST: host, ...more };
    const options = { cwd, env, timeout: CLIENT_MS };
    return new Promise((resolve) => {
      const child = execFile(program, args, options, (error, stdout, stderr) => {
        resolve({ status: error === null ? 0 : Number(error.code ?? 1), stdout, stderr });
      });
      // One that fails at once does not read it.
      child.stdin?.on('error', () => undefined);
      child.stdin?.end(input);
      running(child);
    });
  }
}
