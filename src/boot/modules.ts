/**
 * The kernel modules that an initrd carries: one table, and what it takes to load them.
 *
 * @module
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { A3sError } from '../errors.ts';
import { elfSection } from './elf.ts';
import { runTool } from './tool.ts';

/**
 * What each profile needs and Debian's cloud kernel has as a module. Built into it, and so not here: PCI
 * and PCIe hot-plug, virtio-pci, virtio-console (the control stream), ext4 with its checksums, virtio-fs, vmgenid.
 */
export const MODULE_PROFILES = {
  plain: {
    common: ['virtio_blk', 'virtio_rng', 'erofs', 'overlay'],
    // The second ends connections that the copy of a running guest must not go on with.
    nic: ['virtio_net', 'tcp_diag'],
  },
  confidential: {
    common: ['virtio_blk', 'virtio_rng', 'erofs', 'overlay', 'dm_verity', 'dm_crypt', 'sev_guest'],
    nic: ['virtio_net'],
  },
} as const satisfies Record<string, Record<ModuleUse, readonly string[]>>;

/** Every box needs the common modules; those of a network device are loaded where there is one. */
export type ModuleUse = 'common' | 'nic';

export type ModuleProfile = keyof typeof MODULE_PROFILES;

export interface KernelModule {
  readonly name: string;
  readonly use: ModuleUse;
  /** Names of the modules that must be there first. */
  readonly depends: readonly string[];
  readonly data: Buffer;
}

/** What a module says of itself, in its `.modinfo` section. */
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
  const depends = (info.get('depends') ?? '').split(',').filter((depend) => depend !== '');
  return { name, depends, vermagic: info.get('vermagic') ?? '' };
}

/**
 * The modules of a profile with everything they depend on, unpacked, in an order in which they load.
 *
 * @param root the `lib/modules/RELEASE` directory of the kernel
 */
export async function loadModules(
  root: string,
  release: string,
  profile: ModuleProfile,
): Promise<KernelModule[]> {
  const files = await moduleFiles(root);
  const loaded = new Map<string, KernelModule>();
  const visit = async (use: ModuleUse, name: string, trail: readonly string[]): Promise<void> => {
    if (loaded.has(name)) return;
    if (trail.includes(name)) throw unusable(name, `it depends on itself: ${trail.join(', ')}`);
    const file = files.get(name);
    if (file === undefined) throw unusable(name, 'the kernel package has no such module');
    const module = await readModule(file, name, release);
    for (const depend of module.depends) await visit(use, depend, [...trail, name]);
    loaded.set(name, { ...module, use });
  };
  const { common, nic } = MODULE_PROFILES[profile];
  for (const name of common) await visit('common', name, []);
  for (const name of nic) await visit('nic', name, []);
  return [...loaded.values()];
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

async function readModule(
  file: string,
  name: string,
  release: string,
): Promise<Omit<KernelModule, 'use'>> {
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
