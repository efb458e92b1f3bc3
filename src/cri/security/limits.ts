/**
 * The resources of containers and pods.
 *
 * @module
 */
import type { Resources } from '@a3s-box/policies';
import { NO_LIMITS } from '../../boxes/record/limits.ts';
import { askedCpus, resourcesOf } from '../../boxes/spec/resources.ts';
import type { AskedLimits } from '../../pods/record/container.ts';
import type { Answer } from '../answer.ts';
import type * as cri from '../api/messages.ts';
import { integer } from '../integer.ts';
import { quoted, unsupported } from '../refusal.ts';

/**
 * Kubelet asks for it of every container. All processes of one have a PID namespace of their own,
 * and end with its first.
 */
const GROUPED_KILL = 'memory.oom.group';

/** Of containers that ask for none. */
const NOTHING: AskedLimits = {
  ...{ cpuPeriod: 0, cpuQuota: 0, cpuShares: 0, memoryLimitInBytes: 0 },
  ...{ memorySwapLimitInBytes: 0, oomScoreAdj: 0, cpusetCpus: '', cpusetMems: '' },
};

/** @throws A3sError `invalid-argument`, `unsupported-option` */
export function askedLimits(asked: cri.LinuxContainerResources | undefined): AskedLimits {
  if (asked === undefined) return NOTHING;
  const of = (name: string): string => `linux.resources.${name}`;
  if (asked.cpusetCpus !== '' || asked.cpusetMems !== '') {
    throw unsupported(of('cpuset_cpus'), 'a guest does not know the processors of its node');
  }
  if (asked.hugepageLimits.some(({ limit }) => limit > 0n)) {
    throw unsupported(of('hugepage_limits'), 'guests have no huge pages');
  }
  const raw = Object.keys(asked.unified).find((name) => name !== GROUPED_KILL);
  if (raw !== undefined) throw unsupported(of('unified'), `${quoted(raw)} is not passed on`);
  return {
    cpuPeriod: integer(asked.cpuPeriod, of('cpu_period'), 0, 1_000_000),
    cpuQuota: integer(asked.cpuQuota, of('cpu_quota'), -1),
    cpuShares: integer(asked.cpuShares, of('cpu_shares'), 0, 262_144),
    memoryLimitInBytes: integer(asked.memoryLimitInBytes, of('memory_limit_in_bytes'), 0),
    // No guest has swap.
    memorySwapLimitInBytes: integer(
      asked.memorySwapLimitInBytes,
      of('memory_swap_limit_in_bytes'),
      -1,
    ),
    oomScoreAdj: integer(asked.oomScoreAdj, of('oom_score_adj'), -1000, 1000),
    ...{ cpusetCpus: '', cpusetMems: '' },
  };
}

/** CPU time in billionths of one CPU; 0: unlimited. */
export function nanoCpusOf({ cpuPeriod, cpuQuota }: AskedLimits): number {
  const limits = { ...NO_LIMITS, cpuPeriodUs: cpuPeriod, cpuQuotaUs: Math.max(0, cpuQuota) };
  return askedCpus({ nanoCpus: 0, limits });
}

/** The limits as the agent takes them. What was not asked for is unlimited. */
export function limitsOf(asked: AskedLimits): Resources {
  const { cpuShares, memoryLimitInBytes } = asked;
  const { memoryBytes, ...rest } = resourcesOf({
    memoryBytes: memoryLimitInBytes,
    nanoCpus: nanoCpusOf(asked),
    // The least weight that the kernel has.
    limits: { ...NO_LIMITS, cpuShares: cpuShares === 0 ? 0 : Math.max(2, cpuShares) },
  });
  return {
    ...(memoryLimitInBytes === 0 || memoryBytes === undefined ? {} : { memoryBytes }),
    ...rest,
  };
}

/** As CRI shows them. */
export function shownLimits(asked: AskedLimits): Answer<cri.LinuxContainerResources> {
  return {
    cpuPeriod: BigInt(asked.cpuPeriod),
    cpuQuota: BigInt(asked.cpuQuota),
    cpuShares: BigInt(asked.cpuShares),
    memoryLimitInBytes: BigInt(asked.memoryLimitInBytes),
    memorySwapLimitInBytes: BigInt(asked.memorySwapLimitInBytes),
    oomScoreAdj: BigInt(asked.oomScoreAdj),
    cpusetCpus: asked.cpusetCpus,
    cpusetMems: asked.cpusetMems,
  };
}
