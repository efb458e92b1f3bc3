/**
 * The initrd of an emulated host: KVM's modules, busybox, the agent of the command channel, and a
 * script.
 *
 * @module
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CpioEntry, cpio } from '../../src/boot/make/cpio.ts';
import {
  fetchKernelPackage,
  type KernelPackage,
  type KernelTree,
  pinnedKernelPackage,
  unpackKernelPackage,
} from '../../src/boot/make/kernel-package.ts';
import { loadModules } from '../../src/boot/make/modules.ts';

const ROOT = join(import.meta.dirname, '../..');
/** Where set-up keeps the Debian package of the boot set's kernel. */
const CACHE = join(ROOT, 'build/cache');

/** What a host needs to run boxes and Debian's cloud kernel does not have built in. */
export const HOST_MODULES: readonly string[] = [
  ...['irqbypass', 'kvm', 'kvm_amd'],
  ...['virtio_blk', 'virtio_net', 'virtio_rng'],
  ...['overlay', 'loop', 'erofs', 'dm_mod'],
  // User-defined networks, and the policies of their boxes.
  ...['tun', 'veth', 'bridge', 'nf_tables', 'nft_ct', 'nft_chain_nat', 'nft_nat', 'nft_masq'],
  ...['nft_redir', 'nft_reject_inet', 'nft_limit', 'nft_connlimit', 'nft_fib_inet'],
  ...['nf_conntrack_netlink'],
  // CNI's plugins use iptables.
  ...['nft_compat', 'xt_addrtype', 'xt_comment', 'xt_conntrack', 'xt_mark', 'xt_multiport'],
  ...['xt_nat', 'xt_tcpudp', 'xt_MASQUERADE'],
];

/** What the script may call without a path, and `/bin/busybox` knows. */
const APPLETS = [
  'sh',
  'mount',
  'umount',
  'insmod',
  'mkdir',
  'ln',
  'cat',
  'cp',
  'chmod',
  'switch_root',
];

export interface InitrdSpec {
  /** Modules, in any order, besides what they depend on; loaded before the script goes on. */
  readonly modules?: readonly string[];
  /**
   * Of busybox's shell, run as process 1 with `/proc`, `/sys` and `/dev` mounted: ends with
   * `exec switch_root`.
   */
  readonly script: string;
  /** Other files, by their paths. */
  readonly files?: Readonly<Record<string, Buffer>>;
  /** The kernel; that of the boot set unless another is given. */
  readonly kernel?: KernelTree;
}

/** Runs `use` with the boot set's kernel package unpacked; it lies in build/cache since set-up. */
export async function withHostKernel<T>(use: (kernel: KernelTree) => Promise<T>): Promise<T> {
  const pinned: KernelPackage | undefined = await pinnedKernelPackage(CACHE);
  if (pinned === undefined) throw new Error('build/cache has no kernel: run npm run setup first');
  const deb = await fetchKernelPackage(CACHE, pinned);
  const directory = mkdtempSync(join(tmpdir(), 'a3s-host-kernel-'));
  try {
    return await use(await unpackKernelPackage(deb, directory));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/**
 * The bytes of an initrd. In it `/agent` is the agent of the command channel, linked statically.
 */
export async function hostInitrd(spec: InitrdSpec): Promise<Buffer> {
  const { kernel } = spec;
  if (kernel === undefined) return withHostKernel((kernel) => hostInitrd({ ...spec, kernel }));
  const wanted = { common: spec.modules ?? HOST_MODULES };
  const { modules } = await loadModules(kernel.modules, kernel.release, wanted);
  const load = modules.map(({ name }) => `insmod /modules/${name}.ko\n`).join('');
  const init = [
    '#!/bin/sh',
    'mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t devtmpfs dev /dev',
    `${load}${spec.script}`,
  ].join('\n');
  const directories = ['bin', 'dev', 'modules', 'mnt', 'proc', 'sys'];
  const entries: CpioEntry[] = [
    ...directories.map((path) => ({ kind: 'directory', path, mode: 0o755 }) as const),
    { kind: 'character-device', path: 'dev/console', mode: 0o600, major: 5, minor: 1 },
    program('init', Buffer.from(init)),
    program('agent', agentProgram()),
    program('bin/busybox', readFileSync('/usr/bin/busybox')),
    ...APPLETS.map((name) =>
      program(`bin/${name}`, Buffer.from(`#!/bin/busybox sh\nexec /bin/busybox ${name} "$@"\n`)),
    ),
    ...modules.map(({ name, data }) => program(`modules/${name}.ko`, data)),
    ...Object.entries(spec.files ?? {}).map(([path, data]) => program(path, data)),
  ];
  return cpio(entries);
}

function program(path: string, data: Buffer): CpioEntry {
  return { kind: 'file', path, mode: 0o755, data };
}

/**
 * The agent of the command channel, for a root that starts it by itself:
 * `agent [NAME OF THE PORT]`.
 */
export function agentProgram(): Buffer {
  const directory = mkdtempSync(join(tmpdir(), 'a3s-host-agent-'));
  try {
    const path = join(directory, 'agent');
    const source = join(import.meta.dirname, 'agent.c');
    execFileSync('gcc', ['-static', '-O2', '-o', path, source]);
    return readFileSync(path);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** The share that is the root of a host made with {@link sharedRoot}. */
export const ROOT_TAG = 'root';

/**
 * The script of a host whose root is this machine's, read through a virtio-fs share: all programs
 * are there. What it writes stays its own, in an overlay; `/run`, `/tmp` and `/dev/shm` are its own
 * and empty. The agent is process 1. switch_root and not chroot: in a chroot no user namespace can
 * be made.
 *
 * @param overlay without it the kernel needs no overlayfs, and the share has to be read-only: the
 * rest of the root is too
 */
export function sharedRoot({ overlay = true }: { readonly overlay?: boolean } = {}): string {
  return `
set -e
${overlay ? OVERLAID : `mount -t virtiofs -o ro ${ROOT_TAG} /mnt`}
mount --move /proc /mnt/proc; mount --move /sys /mnt/sys; mount --move /dev /mnt/dev
mount -t tmpfs -o mode=755 run /mnt/run
mkdir -p /mnt/dev/pts /mnt/dev/shm
mount -t devpts -o mode=620,ptmxmode=666 pts /mnt/dev/pts
mount -t tmpfs -o mode=1777 shm /mnt/dev/shm
mount -t cgroup2 cgroup /mnt/sys/fs/cgroup
ln -sf /proc/self/fd /mnt/dev/fd
${ownTemporary()}
mkdir -p /mnt/run/a3s-host; cp /agent /mnt/run/a3s-host/agent
/bin/busybox ip link set lo up
exec switch_root /mnt /run/a3s-host/agent
`;
}

const OVERLAID = `mkdir -p /lower /own
mount -t virtiofs ${ROOT_TAG} /lower
mount -t tmpfs own /own
mkdir -p /own/upper /own/work
mount -t overlay overlay -o lowerdir=/lower,upperdir=/own/upper,workdir=/own/work /mnt`;

/** A checkout that lies in `/tmp` is to be seen in there all the same. */
function ownTemporary(): string {
  const own = 'mount -t tmpfs -o mode=1777 tmp /mnt/tmp';
  if (!ROOT.startsWith('/tmp/')) return own;
  return `mkdir -p /keep\nmount --bind /mnt${ROOT} /keep\n${own}\nmkdir -p /mnt${ROOT}\nmount --move /keep /mnt${ROOT}`;
}
