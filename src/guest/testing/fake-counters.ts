/**
 * What the fake agent tells of its box's processes and resources: the answers of `stats` and `top`.
 *
 * @module
 */
import type { Resources } from '@a3s-box/policies';
import type { ProcessEntry, Stats } from '../protocol.ts';
import type { FakeProcess } from './fake-process.ts';

/** The same every time but for the processes and limits, so that tests can compare. */
export function fakeStats(pids: number, resources: Resources, detailed: boolean): Stats {
  const stats = { memoryBytes: 1_048_576, memoryPeakBytes: 2_097_152, cpuUsec: 1000, pids };
  if (!detailed) return stats;
  const detail: Stats['detail'] = {
    readAt: new Date().toISOString(),
    systemUsec: Math.round(performance.now() * 1000),
    cpus: 1,
    userUsec: 600,
    kernelUsec: 400,
    throttled: { periods: 10, throttledPeriods: 1, throttledUsec: 50 },
    memoryLimitBytes: resources.memoryBytes ?? 0,
    pidsLimit: resources.pids ?? 0,
    memory: { anon: 524_288, file: 524_288, inactive_file: 262_144 },
    oomKills: 0,
    io: [{ device: '254:0', readBytes: 4096, writtenBytes: 8192, reads: 1, writes: 2 }],
    networks: [
      {
        ...{ name: 'eth0', receivedBytes: 100, receivedPackets: 2, receiveErrors: 0 },
        ...{ receiveDropped: 0, sentBytes: 200, sentPackets: 3, sendErrors: 0, sendDropped: 0 },
      },
    ],
  };
  return { ...stats, detail };
}

/** One entry a process that runs. */
export function fakeTop(processes: Iterable<FakeProcess>): ProcessEntry[] {
  return [...processes]
    .filter(({ state }) => state === 'running')
    .map((process) => {
      const { pid, startedAt } = process.describe();
      const { args, user, terminal } = process.spec;
      return {
        ...{ pid, ppid: pid === 1 ? 0 : 1, uid: 0, gid: 0, user: user === '' ? 'root' : user },
        ...{ state: 'S', terminal: terminal ? 'pts/0' : '', nice: 0, threads: 1 },
        startedAt: startedAt ?? new Date(0).toISOString(),
        ...{ cpuUsec: 1000, residentBytes: 4096, virtualBytes: 8192 },
        name: (args[0] ?? '').split('/').at(-1)?.slice(0, 15) ?? '',
        args,
      };
    });
}
