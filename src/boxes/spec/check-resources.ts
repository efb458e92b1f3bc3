/**
 * Checks which resources a request asks for, with Docker's words where Docker has some.
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import { A3sError } from '../../errors.ts';
import type { Limits, Ulimit } from '../record/limits.ts';
import { cpusetText, parseCpuset } from './cpuset.ts';
import { type AskedResources, askedCpus, boxMemory, NANO, niceOf, vmMemory } from './resources.ts';

const MIB = 1024 * 1024;
/** Docker's bounds. */
const MIN_MEMORY = 6 * MIB;
const SHARES = { least: 2, most: 262_144 };
const PERIOD = { least: 1000, most: 1_000_000 };
const MIN_QUOTA = 1000;
/** The guest's `fs.nr_open`: its kernel lets no process have more. */
const MOST_FILES = 1_048_576;

export interface ResourceHost {
  readonly cpus: number;
  readonly memoryBytes: number;
}

/**
 * @throws A3sError `invalid-argument`, and `unsupported-option` for what a microVM cannot give,
 * before anything is changed
 */
export function checkResources(asked: AskedResources, host: ResourceHost): void {
  checkMemory(asked, host);
  checkCpus(asked, host);
  checkShares(asked.limits.cpuShares);
  checkCpuset(asked.limits.cpuset);
  checkUlimits(asked.limits.ulimits);
}

function checkMemory({ memoryBytes, limits }: AskedResources, host: ResourceHost): void {
  const { memorySwapBytes: swap, memoryReservationBytes: reservation } = limits;
  if (memoryBytes !== 0 && memoryBytes < MIN_MEMORY) {
    throw invalid('Minimum memory limit allowed is 6MB');
  }
  const needed = vmMemory(memoryBytes);
  if (needed > host.memoryBytes) {
    throw invalid(
      `Cannot give the box ${mib(memoryBytes)} MiB: its microVM would need ${mib(needed)} MiB, and this host has ${mib(host.memoryBytes)} MiB`,
      'Ask for less memory.',
    );
  }
  if (swap > 0 && memoryBytes === 0) {
    throw invalid('You should always set the Memory limit when using Memoryswap limit, see usage');
  }
  if (swap > 0 && swap < memoryBytes) {
    throw invalid('Minimum memoryswap limit should be larger than memory limit, see usage');
  }
  if (swap > memoryBytes) {
    throw new A3sError(
      'unsupported-option',
      'Cannot give the box swap (MemorySwap): a box has no swap',
      { remedy: 'Leave --memory-swap out, or make it the same as --memory.' },
    );
  }
  if (reservation > 0 && reservation < MIN_MEMORY) {
    throw invalid('Minimum memory reservation allowed is 6MB');
  }
  if (reservation > boxMemory(memoryBytes)) {
    throw invalid('Minimum memory limit can not be less than memory reservation limit, see usage');
  }
}

function checkCpus(asked: AskedResources, host: ResourceHost): void {
  const { nanoCpus, limits } = asked;
  const { cpuPeriodUs: period, cpuQuotaUs: quota } = limits;
  for (const [name, value] of [
    ['Period', period],
    ['Quota', quota],
  ] as const) {
    if (nanoCpus === 0 || value === 0) continue;
    throw invalid(`Conflicting options: Nano CPUs and CPU ${name} cannot both be set`);
  }
  if (period !== 0 && (period < PERIOD.least || period > PERIOD.most)) {
    throw invalid(
      'CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)',
    );
  }
  if (quota !== 0 && quota < MIN_QUOTA) {
    throw invalid('CPU cfs quota can not be less than 1ms (i.e. 1000)');
  }
  if (askedCpus(asked) > host.cpus * NANO) {
    throw invalid(
      `Range of CPUs is from 0.01 to ${host.cpus}.00, as there are only ${host.cpus} CPUs available`,
    );
  }
}

function checkShares(shares: number): void {
  if (shares !== 0 && shares < SHARES.least) {
    throw invalid(`The minimum allowed cpu-shares is ${SHARES.least}`);
  }
  if (shares > SHARES.most) throw invalid(`The maximum allowed cpu-shares is ${SHARES.most}`);
  if (niceOf(shares) < 0 && process.geteuid?.() !== 0) {
    throw invalid(
      `Cannot give the box ${shares} CPU shares: more than 1024 are more than other programs of this host get, which only root may give`,
      'Ask for 1024 or less.',
    );
  }
}

function checkCpuset(text: string): void {
  const asked = parseCpuset(text);
  if (asked.length === 0) return;
  const available = hostProcessors();
  if (asked.every((each) => available.has(each))) return;
  const shown = cpusetText([...available]);
  throw invalid(
    `Requested CPUs are not available - requested ${text.slice(0, 128)}, available: ${shown}`,
  );
}

/** The processors that this process may use, and so may give to others. */
function hostProcessors(): ReadonlySet<number> {
  const status = readFileSync('/proc/self/status', 'utf8');
  return new Set(parseCpuset(/^Cpus_allowed_list:\s*(\S+)$/m.exec(status)?.[1] ?? ''));
}

function checkUlimits(ulimits: Limits['ulimits']): void {
  const seen = new Set<string>();
  for (const { name, soft, hard } of ulimits) {
    if (seen.has(name)) throw invalid(`Duplicate ulimit: ${name}`);
    seen.add(name);
    if (height(soft) > height(hard)) {
      throw invalid(
        `ulimit soft limit must be less than or equal to hard limit: ${soft} > ${hard}`,
      );
    }
    if (name === 'nofile' && height(hard) > MOST_FILES) {
      throw invalid(`ulimit nofile can be ${MOST_FILES} at most, and not unlimited`);
    }
  }
}

function height(limit: Ulimit['soft']): number {
  return limit === -1 ? Number.POSITIVE_INFINITY : limit;
}

function mib(bytes: number): number {
  return Math.ceil(bytes / MIB);
}

function invalid(message: string, remedy?: string): A3sError {
  return new A3sError('invalid-argument', message, { remedy });
}
