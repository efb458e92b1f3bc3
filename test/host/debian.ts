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
import { Apt, DEBIAN_CACHE } from '../debian/apt.ts';

const run = promisify(execFile);
const KERNEL = 'linux-image-cloud-amd64';
const QEMU = 'qemu-system-x86';
const LIBRARIES = 'x86_64-linux-gnu';

/** A suite with those that it builds on. */
export const SUITES = {
  bookworm: ['bookworm'],
  'bookworm-backports': ['bookworm-backports', 'bookworm'],
  'trixie-backports': ['trixie-backports', 'trixie'],
} as const;
export type Suite = keyof typeof SUITES;

/** The suite's kernel for clouds, unpacked below `into`. */
export async function kernelOf(suite: Suite, into: string): Promise<KernelTree> {
  const apt = await Apt.of(suite, SUITES[suite]);
  for (const deb of await apt.download([KERNEL], 'kernel')) {
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
  return { release, modules, image: readFileSync(image) };
}

/**
 * A directory that has `qemu-system-x86_64` of the suite, with all libraries that it needs. To be
 * mounted at {@link QEMU_PLACE} of a host: of all places for programs it comes first, and a jail
 * sees it.
 */
export async function qemuOf(suite: Suite): Promise<string> {
  const target = join(DEBIAN_CACHE, suite, 'qemu-place');
  if (existsSync(target)) {
    writeProgram(target);
    return target;
  }
  const apt = await Apt.of(suite, SUITES[suite]);
  const building = `${target}.new`;
  rmSync(building, { recursive: true, force: true });
  mkdirSync(join(building, 'root'), { recursive: true });
  for (const deb of await apt.download([QEMU], 'qemu')) {
    await run('dpkg-deb', ['-x', deb, join(building, 'root')]);
  }
  writeProgram(building);
  renameSync(building, target);
  return target;
}

/** Where a host has the directory of {@link qemuOf}. */
export const QEMU_PLACE = '/usr/local/sbin';

/** The program `qemu-system-x86_64` of the suite, to be run on this machine. */
export async function qemuProgramOf(suite: Suite): Promise<string> {
  const directory = await qemuOf(suite);
  const program = join(directory, 'qemu-here');
  writeWrapper(program, directory);
  return program;
}

function writeProgram(directory: string): void {
  writeWrapper(join(directory, 'qemu-system-x86_64'), QEMU_PLACE);
}

/** @param place where the directory is to be when the program runs */
function writeWrapper(program: string, place: string): void {
  writeFileSync(program, wrapper(place));
  chmodSync(program, 0o755);
}

/**
 * Debian 12 keeps its libraries in /lib and /usr/lib, which are one only once its base system is
 * installed.
 */
function wrapper(place: string): string {
  const root = `${place}/root`;
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
