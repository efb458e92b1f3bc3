/**
 * Records for tests.
 *
 * @module
 */
import { DEFAULT_CONFINEMENT } from '../../boxes/spec/confinement/confinement.ts';
import type { ContainerDefinition } from '../record/container.ts';
import type { PodDefinition } from '../record/pod.ts';

export function testPod(id: string, changes: Partial<PodDefinition> = {}): PodDefinition {
  return {
    id,
    createdAt: '2026-01-02T03:04:05.000000006Z',
    metadata: { name: id, uid: `uid-${id}`, namespace: 'default', attempt: 0 },
    labels: {},
    annotations: {},
    runtimeHandler: '',
    bootSet: 'set',
    identity: { uid: 0, gid: 0 },
    hostname: 'pod',
    logDirectory: '',
    network: 'none',
    names: { servers: [], options: [], search: [], hosts: [] },
    ports: [],
    sysctls: {},
    memoryBytes: 0,
    nanoCpus: 0,
    privileged: false,
    ...changes,
  };
}

export function testContainer(
  id: string,
  pod: string,
  changes: Partial<ContainerDefinition> = {},
): ContainerDefinition {
  return {
    id,
    pod,
    createdAt: '2026-01-02T03:04:06.000000006Z',
    metadata: { name: id, attempt: 0 },
    image: {
      ...{ reference: 'busybox', userReference: 'busybox', id: 'sha256:1' },
      ...{ manifestDigest: 'sha256:2', names: ['docker.io/library/busybox:latest'] },
    },
    trust: {
      ...{ verdict: 'unsigned', reason: 'nothing is required', at: '2026-01-02T03:04:05.000Z' },
      policy: { source: 'built-in', digest: '' },
      image: {
        ...{ reference: 'busybox', repository: 'docker.io/library/busybox' },
        ...{ manifestDigest: 'sha256:2', indexDigests: [] },
      },
      requirements: [],
    },
    process: {
      ...{ args: ['sleep', 'infinity'], env: [], cwd: '/', user: '' },
      ...{ terminal: false, stdin: false },
    },
    mounts: [],
    imageMounts: [],
    stdinOnce: false,
    readonlyRootfs: false,
    confinement: DEFAULT_CONFINEMENT,
    resources: {},
    askedLimits: {
      ...{ cpuPeriod: 0, cpuQuota: 0, cpuShares: 0, memoryLimitInBytes: 0 },
      ...{ memorySwapLimitInBytes: 0, oomScoreAdj: 0, cpusetCpus: '', cpusetMems: '' },
    },
    labels: {},
    annotations: {},
    logPath: '',
    stopSignal: 'SIGTERM',
    ...changes,
  };
}
