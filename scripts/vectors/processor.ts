/**
 * The processor of the vectors: always the same, and publicly known.
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import type { Evidence } from '../../attestation/src/evidence.ts';
import { FIELDS, SIGNED_SIZE } from '../../attestation/src/report/layout.ts';
import { vekKey } from '../../attestation/src/simulated/authorities/certify-vek.ts';
import { signReport } from '../../attestation/src/simulated/authorities/p384.ts';
import type { SimulatedLaunch } from '../../attestation/src/simulated/processor/launch-guest.ts';
import type { ReportRequest } from '../../attestation/src/simulated/processor/make-report.ts';
import type { Misbehaviour } from '../../attestation/src/simulated/processor/misbehaviour.ts';
import {
  SIMULATED_MODELS,
  type SimulatedModelName,
} from '../../attestation/src/simulated/processor/models.ts';
import {
  type SimulatedProcessorOptions,
  SimulatedSecureProcessor,
} from '../../attestation/src/simulated/processor/processor.ts';
import { openState } from '../../attestation/src/simulated/state.ts';
import { NOW } from './format.ts';

const STATE: unknown = JSON.parse(readFileSync('test/vectors/simulated/state.json', 'utf8'));

/** Its keys. */
export const CHAIN = openState(STATE);

/** A guest of two vCPUs with kernel, initrd and command line; the firmware is given by figures. */
export const LAUNCH: SimulatedLaunch = {
  inputs: {
    vmm: 'qemu',
    ovmf: {
      hash: Uint8Array.from({ length: 48 }, (_, index) => index),
      sections: [
        { gpa: 0x800000, size: 0x9000, type: 'sec-mem' },
        { gpa: 0x80a000, size: 0x1000, type: 'secrets' },
        { gpa: 0x80b000, size: 0x1000, type: 'cpuid' },
        { gpa: 0x810000, size: 0x1000, type: 'kernel-hashes' },
      ],
      hashTableGpa: 0x810c00,
      resetEip: 0x80b004,
    },
    kernel: Buffer.from('kernel of the vectors'),
    initrd: Buffer.from('initrd of the vectors'),
    append: 'console=ttyS0',
    vcpus: 2,
    vcpuType: 'EPYC-Milan',
  },
  hostData: Uint8Array.from({ length: 32 }, (_, index) => 0xa0 + index),
};

export const REPORT_DATA = Uint8Array.from({ length: 64 }, (_, index) => 0x40 + index);

export function processor(options: SimulatedProcessorOptions = {}): SimulatedSecureProcessor {
  return new SimulatedSecureProcessor(STATE, { now: () => new Date(NOW), ...options });
}

/** What varies of a good report. */
export interface EvidenceOptions extends SimulatedProcessorOptions {
  readonly launch?: Partial<SimulatedLaunch>;
  readonly request?: Partial<ReportRequest>;
}

/** Evidence of the guest, from a processor of that kind. */
export function evidenceOf({ launch, request, ...options }: EvidenceOptions = {}): Evidence {
  const guest = processor(options).launch({ ...LAUNCH, ...launch });
  return guest.report({ reportData: REPORT_DATA, ...request }).evidence;
}

/** Evidence with one way to be bad. */
export function bad(misbehaviour: Misbehaviour, options: EvidenceOptions = {}): Evidence {
  return evidenceOf({ ...options, misbehave: [misbehaviour] });
}

/** The report with some bytes replaced; its signature is then that of another report. */
export function patched(report: Uint8Array, offset: number, bytes: readonly number[]): Uint8Array {
  const copy = Uint8Array.from(report);
  copy.set(bytes, offset);
  return copy;
}

/** Signs a report again with the VCEK of a model's TCB. */
export function resigned(report: Uint8Array, model: SimulatedModelName = 'Milan'): Uint8Array {
  const { product, tcb } = SIMULATED_MODELS[model];
  const { privateKey } = vekKey(CHAIN.chip.secret, 'VCEK', { product, tcb });
  const signature = signReport(report.subarray(0, SIGNED_SIZE), privateKey);
  return patched(report, FIELDS.SIGNATURE_R.offset, [...signature]);
}
