/**
 * What a guest counts, in the messages of CRI.
 *
 * @module
 */
import type { Stats } from '../../guest/protocol.ts';
import type { Answer } from '../answer.ts';
import type * as cri from '../api/messages.ts';

const NANOSECONDS_OF_MICROSECOND = 1000n;

/** Kubelet computes rates itself: it needs the counter, and the time at which it was read. */
export function cpuUsage({ cpuUsec }: Stats, timestamp: bigint): Answer<cri.CpuUsage> {
  return {
    timestamp,
    usageCoreNanoSeconds: { value: BigInt(cpuUsec) * NANOSECONDS_OF_MICROSECOND },
  };
}

/** The working set leaves out what the kernel can drop at once, as kubelet's own readings do. */
export function memoryUsage(stats: Stats, timestamp: bigint): Answer<cri.MemoryUsage> {
  const { memoryBytes, detail } = stats;
  const value = (count: number): { value: bigint } => ({ value: BigInt(count) });
  const { anon, pgfault, pgmajfault } = detail?.memory ?? {};
  const limit = detail?.memoryLimitBytes ?? 0;
  const workingSet = workingSetOf(stats);
  return {
    timestamp,
    usageBytes: value(memoryBytes),
    workingSetBytes: value(workingSet),
    ...(limit === 0 ? {} : { availableBytes: value(Math.max(0, limit - workingSet)) }),
    ...(anon === undefined ? {} : { rssBytes: value(anon) }),
    ...(pgfault === undefined ? {} : { pageFaults: value(pgfault) }),
    ...(pgmajfault === undefined ? {} : { majorPageFaults: value(pgmajfault) }),
  };
}

export function workingSetOf({ memoryBytes, detail }: Stats): number {
  return Math.max(0, memoryBytes - (detail?.memory['inactive_file'] ?? 0));
}

/** No guest has swap. */
export function swapUsage(timestamp: bigint): Answer<cri.SwapUsage> {
  return { timestamp, swapAvailableBytes: { value: 0n }, swapUsageBytes: { value: 0n } };
}

export function networkUsage({ detail }: Stats, timestamp: bigint): Answer<cri.NetworkUsage> {
  const interfaces = (detail?.networks ?? []).map((device) => ({
    name: device.name,
    rxBytes: { value: BigInt(device.receivedBytes) },
    rxErrors: { value: BigInt(device.receiveErrors) },
    txBytes: { value: BigInt(device.sentBytes) },
    txErrors: { value: BigInt(device.sendErrors) },
  }));
  const [first] = interfaces;
  return { timestamp, interfaces, ...(first === undefined ? {} : { defaultInterface: first }) };
}
