/**
 * A processor that is always the same, and a guest for it, for tests.
 *
 * @module
 */
import { readVectorFile } from '../../testing/read-vectors.ts';
import type { SimulatedGuest } from '../processor/guest.ts';
import type { SimulatedLaunch } from '../processor/launch-guest.ts';
import {
  type SimulatedProcessorOptions,
  SimulatedSecureProcessor,
} from '../processor/processor.ts';
import type { SimulatedState } from '../state.ts';

/** The state of the processor that the test vectors are of: three RSA keys need not be made. */
export function testState(): SimulatedState {
  return JSON.parse(readVectorFile('simulated/state.json')) as SimulatedState;
}

/** When all of its certificates are valid. */
export const NOW = new Date('2026-06-01T00:00:00Z');

export const LAUNCH: SimulatedLaunch = {
  inputs: {
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
  },
  hostData: new Uint8Array(32).fill(0xda),
};

export const REPORT_DATA = new Uint8Array(64).fill(0x5a);

export function testProcessor(options: SimulatedProcessorOptions = {}): SimulatedSecureProcessor {
  return new SimulatedSecureProcessor(testState(), { now: () => NOW, ...options });
}

/** A guest of a processor like that. */
export function testGuest(
  options: SimulatedProcessorOptions = {},
  launch: Partial<SimulatedLaunch> = {},
): SimulatedGuest {
  return testProcessor(options).launch({ ...LAUNCH, ...launch });
}
