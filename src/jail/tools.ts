/**
 * The programs of the system that the runtime starts, and the Debian package of each.
 *
 * @module
 */
import { accessSync, constants } from 'node:fs';
import { A3sError } from '../errors.ts';

const PACKAGES = {
  'aardvark-dns': 'aardvark-dns',
  bwrap: 'bubblewrap',
  gzip: 'gzip',
  ip: 'iproute2',
  'mkfs.ext4': 'e2fsprogs',
  mount: 'mount',
  netavark: 'netavark',
  nft: 'nftables',
  nsenter: 'util-linux',
  passt: 'passt',
  pasta: 'passt',
  prlimit: 'util-linux',
  'qemu-system-aarch64': 'qemu-system-arm',
  'qemu-system-x86_64': 'qemu-system-x86',
  setpriv: 'util-linux',
  taskset: 'util-linux',
  umount: 'mount',
  unshare: 'util-linux',
  virtiofsd: 'virtiofsd',
  xz: 'xz-utils',
  zstd: 'zstd',
} as const;

export type Tool = keyof typeof PACKAGES;

/**
 * Never `PATH`: the programs that root starts must not depend on the caller. All of these
 * directories are visible inside a jail.
 */
const DIRECTORIES = [
  '/usr/local/sbin',
  '/usr/local/bin',
  '/usr/sbin',
  '/usr/bin',
  '/usr/libexec',
  '/usr/lib/qemu',
  '/usr/lib/podman',
  '/usr/libexec/podman',
  '/sbin',
  '/bin',
];

/**
 * @returns the program's absolute path
 * @throws A3sError `tool-missing` with the package to install
 */
export async function findTool(tool: Tool): Promise<string> {
  const path = pathOf(tool);
  if (path !== undefined) return path;
  throw new A3sError('tool-missing', `Cannot find ${tool}`, {
    remedy: `Install it: apt-get install ${PACKAGES[tool]}`,
  });
}

/** Every program that may be started, with its Debian package, and its path where it is there. */
export function reportTools(): { name: string; package: string; path?: string }[] {
  return Object.entries(PACKAGES).map(([name, of]) => {
    const path = pathOf(name as Tool);
    return { name, package: of, ...(path === undefined ? {} : { path }) };
  });
}

function pathOf(tool: Tool): string | undefined {
  return DIRECTORIES.map((directory) => `${directory}/${tool}`).find(canExecute);
}

/** Synchronous: an asynchronous lookup would take a hundred times as long, in every start. */
function canExecute(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
