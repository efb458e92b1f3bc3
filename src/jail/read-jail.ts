/**
 * What confines a process that runs, as the kernel says: not what was asked for.
 *
 * @module
 */
import { readFileSync, readlinkSync } from 'node:fs';
import { parseHardLimits } from './limits.ts';

const NAMESPACES = ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'user', 'uts'] as const;

/** The confinement of a process. */
export interface AppliedJail {
  readonly userId: number;
  /** The kinds of namespaces that are not those of this process. */
  readonly namespaces: readonly string[];
  /** Whether it has a capability, also within its namespaces, or can get one. */
  readonly capabilities: boolean;
  readonly noNewPrivileges: boolean;
  /** Filters of system calls: the jail's, and those that the program sets itself. */
  readonly systemCallFilters: number;
  /** Hard limits; undefined: unlimited. `fileBytes` is the soft one, which a filter keeps. */
  readonly openFiles: number | undefined;
  readonly processes: number | undefined;
  readonly dataBytes: number | undefined;
  readonly fileBytes: number | undefined;
}

/** Undefined where the process has ended. What cannot be read is left out. */
export function readJail(pid: number): AppliedJail | undefined {
  let status: string;
  let limits: string;
  try {
    status = readFileSync(`/proc/${pid}/status`, 'utf8');
    limits = readFileSync(`/proc/${pid}/limits`, 'utf8');
  } catch {
    return undefined;
  }
  const field = (name: string): string =>
    new RegExp(`^${name}:\\t(\\S+)`, 'm').exec(status)?.[1] ?? '';
  const hard = parseHardLimits(limits);
  const soft = /^Max file size {2,}(\d+) /m.exec(limits)?.[1];
  return {
    userId: Number(field('Uid')),
    namespaces: NAMESPACES.filter((kind) => isOther(pid, kind)),
    capabilities: ['CapPrm', 'CapEff', 'CapAmb', 'CapBnd'].some((set) => !/^0+$/.test(field(set))),
    noNewPrivileges: field('NoNewPrivs') === '1',
    systemCallFilters: Number(field('Seccomp_filters')),
    openFiles: hard.get('nofile'),
    processes: hard.get('nproc'),
    dataBytes: hard.get('data'),
    fileBytes: soft === undefined ? undefined : Number(soft),
  };
}

function isOther(pid: number, kind: string): boolean {
  try {
    return readlinkSync(`/proc/${pid}/ns/${kind}`) !== readlinkSync(`/proc/self/ns/${kind}`);
  } catch {
    return false;
  }
}
