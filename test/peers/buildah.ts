/**
 * Buildah on this host, with storage of its own: the peer that results of builds are compared with.
 *
 * @module
 */
import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const OUTPUT = 64 * 1024 * 1024;

/** As Docker's clients show it. */
export type ImageConfig = Readonly<Record<string, unknown>>;

export class Buildah {
  readonly #directory = mkdtempSync(join(tmpdir(), 'a3s-buildah-'));

  /** Takes an image over, under the name that it has in the archive of `docker save`. */
  async load(archive: string): Promise<void> {
    await this.#run('pull', '--quiet', `docker-archive:${archive}`);
  }

  /** Builds as Docker does, as far as it can: a layer each step, and Docker's configuration. */
  async build(args: readonly string[], context: string, name: string): Promise<void> {
    const form = [
      '--layers',
      '--format',
      'docker',
      '--isolation',
      'chroot',
      '--ulimit',
      'nofile=1024:1024',
      '--ulimit',
      'nproc=4096:4096',
      '--network',
      'host',
    ];
    const asked = ['bud', '--quiet', '--pull-never', ...form, '--tag', name, ...args];
    await run('buildah', [...this.#storage, ...asked, '.'], { cwd: context, maxBuffer: OUTPUT });
  }

  async config(name: string): Promise<ImageConfig> {
    const text = await this.#run('inspect', '--type', 'image', name);
    return (JSON.parse(text) as { Docker: { config: ImageConfig } }).Docker.config;
  }

  /** Calls `use` with the directory that has the files of an image. */
  async mounted<T>(name: string, use: (directory: string) => T): Promise<T> {
    const podman = (...args: readonly string[]) => run('podman', [...this.#storage, ...args]);
    // A container of Buildah would run what the image has of ONBUILD.
    const { stdout } = await podman('image', 'mount', name);
    try {
      return use(stdout.trim());
    } finally {
      await podman('image', 'unmount', name);
    }
  }

  remove(): void {
    // Its storage may be a mount of its own.
    for (const line of mountsBelow(this.#directory)) execFileSync('umount', [line]);
    rmSync(this.#directory, { recursive: true });
  }

  get #storage(): readonly string[] {
    const at = (name: string): string => join(this.#directory, name);
    return ['--root', at('root'), '--runroot', at('run')];
  }

  async #run(...args: readonly string[]): Promise<string> {
    const { stdout } = await run('buildah', [...this.#storage, ...args], { maxBuffer: OUTPUT });
    return stdout.trim();
  }
}

/** The deepest first. */
function mountsBelow(directory: string): readonly string[] {
  const listed = execFileSync('findmnt', ['--list', '--noheadings', '--output', 'TARGET'], {
    encoding: 'utf8',
  });
  return listed
    .split('\n')
    .filter((path) => path.startsWith(`${directory}/`))
    .reverse();
}
