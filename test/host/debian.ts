/**
 * Kernels and QEMUs of other Debian suites, from their packages: fetched with apt, and unpacked,
 * never installed.
 *
 * @module
 */
import { execFile } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import type { KernelTree } from '../../src/boot/make/kernel-package.ts';

const run = promisify(execFile);
const CACHE = join(import.meta.dirname, '../../build/cache/debian');
const KERNEL = 'linux-image-cloud-amd64';
const QEMU = 'qemu-system-x86';
const LIBRARIES = 'x86_64-linux-gnu';
const OUTPUT = 16 * 1024 * 1024;

/** A suite with those that it builds on. */
export const SUITES = {
  bookworm: ['bookworm'],
  'bookworm-backports': ['bookworm-backports', 'bookworm'],
  'trixie-backports': ['trixie-backports', 'trixie'],
} as const;
export type Suite = keyof typeof SUITES;

/** The suite's kernel for clouds, unpacked below `into`. */
export async function kernelOf(suite: Suite, into: string): Promise<KernelTree> {
  const apt = await Apt.of(suite);
  for (const deb of await apt.download(KERNEL, 'kernel')) {
    // What else they depend on builds an initrd.
    if (basename(deb).startsWith('linux-')) await run('dpkg-deb', ['-x', deb, into]);
  }
  const parents = ['lib/modules', 'usr/lib/modules'].map((path) => join(into, path));
  const [parent] = parents.filter(existsSync);
  const [release] = parent === undefined ? [] : readdirSync(parent);
  if (parent === undefined || release === undefined) throw new Error(`${suite} has no modules`);
  const modules = join(parent, release);
  // Since Linux 7 the packages have the image beside the modules.
  const images = [join(into, 'boot', `vmlinuz-${release}`), join(modules, 'vmlinuz')];
  const [image] = images.filter(existsSync);
  if (image === undefined) throw new Error(`${suite} has no kernel at ${images.join(' or ')}`);
  return { release, modules, bzImage: readFileSync(image) };
}

/**
 * A directory that has `qemu-system-x86_64` of the suite, with all libraries that it needs. To be
 * mounted at {@link QEMU_PLACE} of a host: of all places for programs it comes first, and a jail
 * sees it.
 */
export async function qemuOf(suite: Suite): Promise<string> {
  const target = join(CACHE, suite, 'qemu-place');
  if (existsSync(target)) {
    writeProgram(target);
    return target;
  }
  const apt = await Apt.of(suite);
  const building = `${target}.new`;
  rmSync(building, { recursive: true, force: true });
  mkdirSync(join(building, 'root'), { recursive: true });
  for (const deb of await apt.download(QEMU, 'qemu')) {
    await run('dpkg-deb', ['-x', deb, join(building, 'root')]);
  }
  writeProgram(building);
  renameSync(building, target);
  return target;
}

/** Where a host has the directory of {@link qemuOf}. */
export const QEMU_PLACE = '/usr/local/sbin';

function writeProgram(directory: string): void {
  const program = join(directory, 'qemu-system-x86_64');
  writeFileSync(program, wrapper());
  chmodSync(program, 0o755);
}

/**
 * Debian 12 keeps its libraries in /lib and /usr/lib, which are one only once its base system is
 * installed.
 */
function wrapper(): string {
  const root = `${QEMU_PLACE}/root`;
  const libraries = ['lib', 'usr/lib'].map((path) => `${root}/${path}/${LIBRARIES}`);
  const data = ['qemu', 'seabios'].map((name) => `-L ${root}/usr/share/${name}`).join(' ');
  // The command line begins with the name of QEMU, by which the server finds the process.
  return `#!/bin/bash
export QEMU_MODULE_DIR=${root}/usr/lib/${LIBRARIES}/qemu
for loader in ${libraries.map((path) => `${path}/ld-linux-x86-64.so.2`).join(' ')}; do
  [ -x "$loader" ] && exec -a qemu-system-x86_64 "$loader" --library-path ${libraries.join(':')} ${root}/usr/bin/qemu-system-x86_64 ${data} "$@"
done
echo "no loader below ${root}" >&2
exit 127
`;
}

/** An apt of its own, with one suite and an empty system. */
class Apt {
  readonly #directory: string;
  readonly #options: readonly string[];
  readonly #suite: Suite;

  private constructor(directory: string, options: readonly string[], suite: Suite) {
    this.#directory = directory;
    this.#options = options;
    this.#suite = suite;
  }

  static async of(suite: Suite): Promise<Apt> {
    const directory = join(CACHE, suite, 'apt');
    for (const path of ['lists/partial', 'archives/partial']) {
      mkdirSync(join(directory, path), { recursive: true });
    }
    const sources = join(directory, 'sources.list');
    const site = await archiveSite();
    const lines = SUITES[suite].map((name) => `deb ${site} ${name} main\n`);
    writeFileSync(sources, lines.join(''));
    const status = join(directory, 'status');
    writeFileSync(status, '');
    const settings = {
      'Dir::Etc::sourcelist': sources,
      'Dir::Etc::sourceparts': '/dev/null',
      'Dir::State::lists': join(directory, 'lists'),
      'Dir::State::status': status,
      'Dir::Cache': directory,
      'Dir::Cache::archives': join(directory, 'archives'),
      'APT::Sandbox::User': 'root',
      'APT::Default-Release': suite,
      'Debug::NoLocking': 'true',
    };
    const options = Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
    const apt = new Apt(directory, options, suite);
    await apt.run('apt-get', ['update', '-q']);
    return apt;
  }

  run(program: string, args: readonly string[]) {
    return run(program, [...this.#options, ...args], { maxBuffer: OUTPUT });
  }

  /** Fetches a package with all that it depends on; `name` keeps them apart from others'. */
  async download(wanted: string, name: string): Promise<readonly string[]> {
    const archives = join(this.#directory, name);
    mkdirSync(join(archives, 'partial'), { recursive: true });
    await this.run('apt-get', [
      ...['-o', `Dir::Cache::archives=${archives}`],
      ...['install', '-q', '-y', '--download-only', '--no-install-recommends', wanted],
    ]);
    const debs = readdirSync(archives).filter((file) => file.endsWith('.deb'));
    if (debs.length === 0) throw new Error(`apt fetched nothing for ${wanted} of ${this.#suite}`);
    return debs.map((file) => join(archives, file));
  }
}

/** That of the Debian archive which this machine's apt uses. */
async function archiveSite(): Promise<string> {
  const { stdout } = await run('apt-get', ['indextargets', '--format', '$(SITE)']);
  const site = stdout.split('\n').find((line) => /\/debian\/?$/.test(line));
  if (site === undefined) throw new Error('no source of apt is a Debian archive');
  return site;
}
