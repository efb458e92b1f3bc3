/**
 * The kernel modules of an initrd: one table, and their dependencies.
 *
 * @module
 */
import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { A3sError } from '../../errors.ts';
import { elfSection } from './elf.ts';
import { runTool } from './tool.ts';

/**
 * The modules that each profile needs and that Debian's cloud kernel does not have built in. Built
 * into it, and so not here: PCI and PCIe hot-plug, virtio-pci, virtio-console (the control stream),
 * ext4 with its checksums, virtio-fs, vmgenid.
 */
export const MODULE_PROFILES = {
  plain: {
    common: ['virtio_blk', 'virtio_rng', 'erofs', 'overlay'],
    // libkrun's devices, and its way to the host.
    mmio: ['virtio_mmio', 'vmw_vsock_virtio_transport'],
    // The second ends connections that a copy of a running VM must not continue.
    nic: ['virtio_net', 'tcp_diag'],
    // `/dev/net/tun`.
    tun: ['tun'],
    // What Docker, Podman and containerd need inside of a box: networks of containers, with the
    // rules of both iptables (`nft_compat` and what begins with `xt_`) and nft.
    containers: [
      ...['bridge', 'veth', 'nf_tables', 'nf_conntrack_netlink', 'nft_compat', 'nft_chain_nat'],
      ...['nft_ct', 'nft_masq', 'nft_nat', 'nft_reject_inet', 'xt_MASQUERADE', 'xt_addrtype'],
      ...['xt_comment', 'xt_conntrack', 'xt_mark', 'xt_nat', 'xt_tcpudp'],
      // Programs of other processors, by an emulator that the container's host names.
      'binfmt_misc',
    ],
  },
  confidential: {
    // No `virtio_rng`: random numbers come from the processor, and the host has no say in them.
    common: ['virtio_blk', 'erofs', 'overlay', 'dm_verity'],
    nic: ['virtio_net'],
    // The last two use the processor's own instructions for ciphers that the kernel could compute
    // without them, more slowly.
    changes: ['dm_crypt', 'dm_integrity', 'authenc', 'xts', 'aesni_intel', 'sha256_ssse3'],
    // It does not load where there is no secure processor.
    snp: ['sev_guest'],
    tun: ['tun'],
  },
} as const satisfies Record<string, Partial<Record<ModuleUse, readonly string[]>>>;

/**
 * Every box needs the common modules. The others are loaded where the VM has the matching device, a
 * bus of virtio-mmio, a network device, an encrypted disk for changes, a secure processor, or where
 * the box asks for the device that they make, or is privileged.
 */
export const MODULE_USES = [
  'common',
  'mmio',
  'nic',
  'changes',
  'snp',
  'tun',
  'containers',
] as const;
export type ModuleUse = (typeof MODULE_USES)[number];

/**
 * What few boxes ask for, or another engine needs. Another kernel may lack a module of theirs: the
 * boot set is made without this use then, and its agent refuses to start a box that asks for it.
 */
const OPTIONAL: ReadonlySet<ModuleUse> = new Set(['mmio', 'tun', 'containers']);

/** A kernel that lacks one of these runs containers, of its own processor alone. */
const DISPENSABLE: ReadonlySet<string> = new Set(['binfmt_misc']);

export type ModuleProfile = keyof typeof MODULE_PROFILES;

export interface KernelModule {
  readonly name: string;
  /** `common` alone, or each other group that needs the module. */
  readonly uses: ReadonlySet<ModuleUse>;
  /** Names of the modules that must be loaded first. */
  readonly depends: readonly string[];
  readonly data: Buffer;
}

/** A module's own description, in its `.modinfo` section. */
export function readModinfo(module: Buffer): { name: string; depends: string[]; vermagic: string } {
  const info = new Map<string, string>();
  for (const entry of (elfSection(module, '.modinfo') ?? Buffer.alloc(0))
    .toString('latin1')
    .split('\0')) {
    const equals = entry.indexOf('=');
    if (equals > 0) info.set(entry.slice(0, equals), entry.slice(equals + 1));
  }
  const name = info.get('name');
  if (name === undefined) throw new RangeError('it does not name itself');
  // Built from file names, which may have `-` where the modules' names have `_`.
  const depends = (info.get('depends') ?? '').replaceAll('-', '_').split(',');
  return {
    name,
    depends: depends.filter((depend) => depend !== ''),
    vermagic: info.get('vermagic') ?? '',
  };
}

/** The modules of each group, by name. */
export type ModuleTable = Partial<Readonly<Record<ModuleUse, readonly string[]>>>;

/** What a kernel has of a table. */
export interface LoadedModules {
  /** With everything they depend on, unpacked, in an order in which they load. */
  readonly modules: readonly KernelModule[];
  readonly uses: readonly ModuleUse[];
  /** The modules that the kernel does not have, by the use that is left out for them. */
  readonly missing: ReadonlyMap<ModuleUse, readonly string[]>;
}

/** @param root the `lib/modules/RELEASE` directory of the kernel */
export async function loadModules(
  root: string,
  release: string,
  wanted: ModuleTable,
): Promise<LoadedModules> {
  const files = await moduleFiles(root);
  const builtin = await builtinModules(root);
  const loaded = new Map<string, KernelModule & { readonly uses: Set<ModuleUse> }>();
  const visit = async (use: ModuleUse, name: string, trail: readonly string[]): Promise<void> => {
    if (trail.includes(name)) throw unusable(name, `it depends on itself: ${trail.join(', ')}`);
    const there = loaded.get(name);
    if (there?.uses.has('common') || there?.uses.has(use)) return;
    const module = there ?? { ...(await readFrom(files, name, release)), uses: new Set() };
    for (const depend of module.depends) await visit(use, depend, [...trail, name]);
    module.uses.add(use);
    loaded.set(name, module);
  };
  const uses: ModuleUse[] = [];
  const missing = new Map<ModuleUse, readonly string[]>();
  for (const use of MODULE_USES) {
    let names = wanted[use];
    if (names === undefined) continue;
    if (OPTIONAL.has(use)) {
      names = names.filter((name) => !builtin.has(name));
      names = names.filter((name) => files.has(name) || !DISPENSABLE.has(name));
      const lacks = names.filter((name) => !files.has(name));
      if (lacks.length > 0) {
        missing.set(use, lacks);
        continue;
      }
    }
    uses.push(use);
    for (const name of names) await visit(use, name, []);
  }
  return { modules: [...loaded.values()], uses, missing };
}

/** The names of the modules that a kernel has built in. */
async function builtinModules(root: string): Promise<Set<string>> {
  // A kernel that has none needs no such list.
  const paths = await readFile(join(root, 'modules.builtin'), 'utf8').catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return '';
    throw error;
  });
  const names = paths.split('\n').map((path) => basename(path, '.ko').replaceAll('-', '_'));
  return new Set(names);
}

/** Module name → file. A file name may have `-` where the module's name has `_`. */
async function moduleFiles(root: string): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    const match = /^(.+)\.ko(\.xz)?$/.exec(entry.name);
    if (!entry.isFile() || match?.[1] === undefined) continue;
    files.set(match[1].replaceAll('-', '_'), join(entry.parentPath, entry.name));
  }
  return files;
}

async function readFrom(
  files: ReadonlyMap<string, string>,
  name: string,
  release: string,
): Promise<Omit<KernelModule, 'uses'>> {
  const file = files.get(name);
  if (file === undefined) throw unusable(name, 'the kernel package has no such module');
  const packed = await readFile(file);
  const data = file.endsWith('.xz')
    ? await runTool('xz', ['-dc'], {
        input: packed,
        remedy: 'Install the Debian package xz-utils.',
      })
    : packed;
  let info: ReturnType<typeof readModinfo>;
  try {
    info = readModinfo(data);
  } catch (error) {
    throw unusable(name, 'it is malformed', error);
  }
  if (info.name !== name) throw unusable(name, `it calls itself ${info.name}`);
  if (info.vermagic.split(' ')[0] !== release) throw unusable(name, `it is for ${info.vermagic}`);
  return { name, depends: info.depends, data };
}

function unusable(name: string, why: string, cause?: unknown): A3sError {
  return new A3sError('internal', `Cannot use the kernel module ${name}: ${why}`, { cause });
}
