/**
 * Evidence of a simulated guest, for tests: as the agent has it, or as a workload gets it.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import {
  type Misbehaviour,
  type SimulatedLaunch,
  SimulatedSecureProcessor,
} from '@a3s-box/attestation/simulated';
import { LAUNCH_SPEC_SCHEMA, LaunchSpec, launchSpecText } from '@a3s-box/policies';
import { parseAttestationPolicy } from '@a3s-box/policies/attestation-policy';
import { workloadReportData } from '../binding/report-data.ts';
import type { TrustOptions, WaitOptions } from '../client/options.ts';
import type { EvidenceSource } from '../server/evidence-source.ts';

const STATE: unknown = JSON.parse(
  readFileSync(new URL('../../../test/vectors/simulated/state.json', import.meta.url), 'utf8'),
);

/** When all certificates are valid. */
export const NOW = new Date('2026-06-01T00:00:00Z');

export const PROCESSOR = new SimulatedSecureProcessor(STATE, { now: () => NOW });

const INPUTS: SimulatedLaunch['inputs'] = {
  vmm: 'qemu',
  ovmf: {
    hash: new Uint8Array(48).fill(7),
    sections: [{ gpa: 0x810000, size: 0x1000, type: 'kernel-hashes' }],
    hashTableGpa: 0x810c00,
    resetEip: 0x80b004,
  },
  kernel: Buffer.from('kernel'),
  vcpus: 1,
  vcpuType: 'EPYC-Milan',
};

type Secrets = LaunchSpec['secrets'];

/** A launch spec; what varies are its deployment, its secrets, and what the last argument says. */
export function specText(
  deployment = 'test',
  secrets: Secrets = [],
  more: Partial<LaunchSpec> = {},
): string {
  return launchSpecText(
    LaunchSpec.parse({
      schema: LAUNCH_SPEC_SCHEMA,
      deployment,
      image: { manifestDigest: `sha256:${'1'.repeat(64)}` },
      hostname: 'box',
      rootfs: {
        layers: [{ diffId: `sha256:${'2'.repeat(64)}`, bytes: 4096, root: '3'.repeat(64) }],
        changes: 'memory',
        readonly: false,
      },
      process: {
        args: ['/bin/true'],
        env: [],
        cwd: '/',
        user: '',
        terminal: false,
        stdin: false,
      },
      stopSignal: 'SIGTERM',
      network: 'nic',
      confinement: {
        capabilities: [],
        noNewPrivileges: true,
        seccomp: 'default',
        maskedPaths: [],
        readonlyPaths: [],
      },
      resources: {},
      hostMay: [],
      secrets,
      secretsDeadline: 600,
      sealing: 'none',
      ...more,
    }),
  );
}

/** How a guest differs from the usual one. */
export interface GuestOptions {
  readonly spec?: string;
  readonly instance?: number;
  readonly vcpus?: number;
  readonly misbehave?: readonly Misbehaviour[];
  /** HOST_DATA where it is not the digest of the spec. */
  readonly hostData?: Uint8Array;
  /** When its certificates are made. */
  readonly now?: Date;
  readonly workload?: boolean;
  /** Whether the host hands over certificates. */
  readonly table?: boolean;
}

/** A guest's source of evidence. */
export function guestSource(options: GuestOptions = {}): EvidenceSource {
  const { spec = specText(), instance = 1, misbehave = [], now = NOW } = options;
  const { workload = false, table = true } = options;
  const text = Buffer.from(spec, 'utf8');
  const specDigest = createHash('sha256').update(text).digest();
  const identity = {
    tee: 'simulated',
    instance: new Uint8Array(16).fill(instance),
    specDigest,
  } as const;
  const guest = new SimulatedSecureProcessor(STATE, { now: () => now, misbehave }).launch({
    inputs: { ...INPUTS, vcpus: options.vcpus ?? 1 },
    hostData: options.hostData ?? specDigest,
  });
  return {
    identity: async () => identity,
    async evidence(data) {
      const reportData = workload ? workloadReportData(data, identity) : data;
      const { report, certificateTable } = guest.report({ reportData });
      return {
        ...identity,
        report,
        spec: text,
        ...(table ? { certificates: certificateTable } : {}),
      };
    },
  };
}

/** A policy that accepts the usual guest with any spec. */
export function policyFor(changes: Readonly<Record<string, unknown>> = {}) {
  const { measurement } = PROCESSOR.launch({ inputs: INPUTS, hostData: new Uint8Array(32) });
  return parseAttestationPolicy({
    tee: 'simulated',
    measurements: [measurement],
    hostData: 'any-explicit',
    crl: { required: false },
    ...changes,
  });
}

/** Options of a relying party that accepts the usual guest on this port. */
export function trusting(port: number, changes: Partial<TrustOptions & WaitOptions> = {}) {
  const options = { host: '127.0.0.1', port, policy: policyFor(), allowSimulated: true };
  return { ...options, now: () => NOW, ...changes };
}
