/**
 * Facts of this host that decide how boxes run, read without the control server.
 *
 * @module
 */
import { constants } from 'node:fs';
import { access, readFile, stat, statfs } from 'node:fs/promises';
import { cpus, release, totalmem } from 'node:os';
import { dirname } from 'node:path';
import { arch, geteuid } from 'node:process';

/** What `doctor` shows of a host. A text is empty where the host does not tell. */
export interface HostFacts {
  readonly system: string;
  readonly kernel: string;
  readonly architecture: string;
  readonly node: string;
  readonly processor: string;
  readonly processors: number;
  readonly memoryBytes: number;
  /** `vmx` or `svm` where the processor has hardware virtualization. */
  readonly virtualization: string;
  /** This host is itself a virtual machine. */
  readonly nested: boolean;
  readonly kvm: 'absent' | 'closed' | 'open';
  readonly user: 'root' | 'ordinary';
  /** This process is in a container. */
  readonly container: boolean;
  readonly cgroups: 'v2' | 'v1' | '';
  /** Security modules of the kernel. */
  readonly lsm: string;
  /** The hard limit of open files. */
  readonly openFiles: string;
  readonly home: string;
  /** Free bytes in the file system of the home. */
  readonly freeBytes: number;
}

const KVM = '/dev/kvm';
const CONTAINER_MARKS = ['/.dockerenv', '/run/.containerenv'];

/** @param home `A3S_HOME`, which need not exist */
export async function readHostFacts(home: string): Promise<HostFacts> {
  const [system, cpuinfo, lsm, limits] = await Promise.all([
    read('/etc/os-release'),
    read('/proc/cpuinfo'),
    read('/sys/kernel/security/lsm'),
    read('/proc/self/limits'),
  ]);
  const flags = new Set(/^flags\s*:(.*)$/m.exec(cpuinfo)?.[1]?.trim().split(/\s+/));
  const [first] = cpus();
  return {
    system: /^PRETTY_NAME="?([^"\n]*)/m.exec(system)?.[1] ?? '',
    kernel: release(),
    architecture: arch,
    node: process.version,
    processor: first?.model.trim() ?? '',
    processors: cpus().length,
    memoryBytes: totalmem(),
    virtualization: ['vmx', 'svm'].find((flag) => flags.has(flag)) ?? '',
    nested: flags.has('hypervisor'),
    kvm: await kvm(),
    user: geteuid?.() === 0 ? 'root' : 'ordinary',
    container: (await Promise.all(CONTAINER_MARKS.map(exists))).includes(true),
    cgroups: (await exists('/sys/fs/cgroup/cgroup.controllers'))
      ? 'v2'
      : (await exists('/sys/fs/cgroup'))
        ? 'v1'
        : '',
    lsm: lsm.trim(),
    openFiles: /^Max open files\s+\S+\s+(\S+)/m.exec(limits)?.[1] ?? '',
    home,
    freeBytes: await freeBytes(home),
  };
}

async function kvm(): Promise<HostFacts['kvm']> {
  if (!(await exists(KVM))) return 'absent';
  return await access(KVM, constants.R_OK | constants.W_OK).then(
    () => 'open' as const,
    () => 'closed' as const,
  );
}

/** Of the nearest directory above that exists. */
async function freeBytes(path: string): Promise<number> {
  try {
    const { bavail, bsize } = await statfs(path);
    return bavail * bsize;
  } catch {
    const parent = dirname(path);
    return parent === path ? 0 : await freeBytes(parent);
  }
}

/** A file that cannot be read tells nothing. */
function read(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
