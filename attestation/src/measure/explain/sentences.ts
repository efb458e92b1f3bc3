/**
 * States the differences between two launches, and the remedy, in sentences.
 *
 * @module
 */
import { type ExplainedInput, type InputName, OF_MONITOR } from './figures.ts';

interface Wording {
  readonly differs: (actual: string, expected: string) => string;
  readonly remedy: (actual: string) => string;
}

const WORDINGS: Readonly<Record<InputName, Wording>> = {
  vmm: {
    differs: (actual, expected) => `the guest was launched by ${actual}, expected ${expected}`,
    remedy: () => 'Measure for the monitor that launches the guest.',
  },
  ovmf: {
    differs: (actual, expected) => `the firmware was ${actual}, expected ${expected}`,
    remedy: () => 'Launch with the expected firmware, or review the other one and measure that.',
  },
  kernel: {
    differs: (actual, expected) =>
      actual === 'none'
        ? 'the guest was launched without kernel hashes: its kernel, initrd and command line are not measured'
        : `the kernel was ${actual}, expected ${expected}`,
    remedy: (actual) =>
      actual === 'none'
        ? 'Launch with kernel-hashes=on: the digest of a launch without says nothing of what runs.'
        : 'Launch with the expected kernel, or review the other one and measure that.',
  },
  initrd: {
    differs: (actual, expected) => `the initrd was ${actual}, expected ${expected}`,
    remedy: () => 'Launch with the expected initrd, or review the other one and measure that.',
  },
  append: {
    differs: (actual, expected) => `the kernel command line was ${actual}, expected ${expected}`,
    remedy: () => 'Give the monitor and the measurement the same command line, byte for byte.',
  },
  vcpuSignature: {
    differs: (actual, expected) =>
      `the vCPU model (RDX at reset) was ${actual}, expected ${expected}`,
    remedy: () => 'Launch with the expected vCPU model, or measure for the other one.',
  },
  sevFeatures: {
    differs: (actual, expected) => `the SEV features were ${actual}, expected ${expected}`,
    remedy: () => "Measure with the features that the host's kernel sets, or have it set others.",
  },
  fpu: {
    differs: (actual, expected) =>
      `the FPU's state in the VMSAs was ${actual}, expected ${expected}`,
    remedy: () =>
      'Measure for the kernel of the host: those from Linux 6.10 on hand the state over, older ones do not.',
  },
  vcpus: {
    differs: (actual, expected) =>
      `the guest was launched with ${vcpus(actual)}, expected ${expected}`,
    remedy: () => 'Launch with the expected number of vCPUs, or measure for the other one.',
  },
};

/** What differs, joined to half a sentence. */
export function describeDifferences(inputs: readonly ExplainedInput[]): string {
  return differing(inputs)
    .map(({ name, actual, expected }) => WORDINGS[name].differs(`${actual}`, expected))
    .join(', and ');
}

/** The remedy. */
export function remedies(inputs: readonly ExplainedInput[]): string {
  return differing(inputs)
    .map(({ name, actual }) => WORDINGS[name].remedy(`${actual}`))
    .join(' ');
}

/** The consequences of another monitor are not repeated. */
export function differing(inputs: readonly ExplainedInput[]): readonly ExplainedInput[] {
  const differs = inputs.filter(({ verdict }) => verdict === 'differs');
  const otherVmm = differs.some(({ name }) => name === 'vmm');
  return differs.filter(({ actual }) => !otherVmm || actual !== OF_MONITOR);
}

/** A sentence begins with a capital letter. */
export function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

function vcpus(count: string): string {
  return count === '1' ? '1 vCPU' : `${count} vCPUs`;
}
