/**
 * The common reasons why a launch differs from the expected one.
 *
 * @module
 */

import { toHex } from '../../hex.ts';
import { fileHash, type MeasuredFile, type OvmfInput, resolveOvmf } from '../inputs.ts';
import { sha256 } from '../launch-digest.ts';
import {
  cmdlineHash,
  EMPTY_SHA256,
  type KernelHashes,
  terminatedHash,
} from '../ovmf/kernel-hashes.ts';
import { supportsKernelHashes } from '../ovmf/ovmf-metadata.ts';
import { describeFeatures, KNOWN_FEATURES } from '../sev-features.ts';
import { describeSignature, VCPU_SIGNATURES } from '../vcpu-types.ts';
import { VMM_PROFILES, VMMS } from '../vmm.ts';
import { type InputName, type Names, quoted, type Subject } from './figures.ts';

/** What may have been launched instead of what was expected: a file, or a command line. */
export type Artefact =
  | { readonly name: string; readonly kind: 'append'; readonly content: string }
  | { readonly name: string; readonly kind: 'ovmf'; readonly content: OvmfInput }
  | { readonly name: string; readonly kind: 'kernel' | 'initrd'; readonly content: MeasuredFile };

/** One change of a launch. */
export interface Variant {
  readonly input: InputName;
  readonly what: string;
  /** The launch with the change; undefined where it does not apply to this launch. */
  readonly apply: (subject: Subject) => Subject | undefined;
}

/** An artefact with its hashes. */
export type Known =
  | {
      readonly kind: 'append';
      readonly name: string;
      readonly text: string;
      readonly hash: Uint8Array;
    }
  | { readonly kind: 'ovmf'; readonly name: string; readonly ovmf: Subject['ovmf'] }
  | { readonly kind: 'kernel' | 'initrd'; readonly name: string; readonly hash: Uint8Array };

/** vCPU counts up to this are tried. */
export const MAX_TRIED_VCPUS = 256;

/** What the kernel finds appended when OVMF has loaded its initrd; it is not measured. */
const LOADER_SUFFIX = ' initrd=initrd';

/**
 * Hashes artefacts.
 *
 * @throws AttestationError `ovmf-malformed`, `measure-input`
 */
export function hashArtefacts(artefacts: readonly Artefact[]): readonly Known[] {
  return artefacts.map(hashArtefact);
}

function hashArtefact({ kind, name, content }: Artefact): Known {
  switch (kind) {
    case 'append':
      return { kind, name, text: content, hash: cmdlineHash(content) };
    case 'ovmf':
      return { kind, name, ovmf: resolveOvmf(content) };
    default:
      return { kind, name, hash: fileHash(content, name) };
  }
}

/** Names of artefacts by their digests. */
export function artefactNames(artefacts: readonly Known[]): Names {
  return new Map(
    artefacts.map((each) => [toHex(each.kind === 'ovmf' ? each.ovmf.hash : each.hash), each.name]),
  );
}

/**
 * All changes but those of the vCPU count, in the order in which two of them are applied.
 *
 * @param append - the expected command line
 */
export function variantsOf(append: string, artefacts: readonly Known[]): readonly Variant[] {
  return [
    ...vmmVariants(),
    ...artefactVariants(artefacts, 'ovmf'),
    ...artefactVariants(artefacts, 'kernel'),
    NO_KERNEL_HASHES,
    ...artefactVariants(artefacts, 'initrd'),
    {
      input: 'initrd',
      what: 'no initrd',
      apply: (subject) => withHashes(subject, { initrd: EMPTY_SHA256 }),
    },
    ...artefactVariants(artefacts, 'append'),
    ...cmdlineVariants(append),
    ...signatureVariants(),
    ...KNOWN_FEATURES.map(featureVariant),
    fpuVariant(),
  ];
}

/** Changes of three inputs that come together: one of each list, in this order. */
export type Triple = readonly [readonly Variant[], readonly Variant[], readonly Variant[]];

/** Whole sets of artefacts, and launches by monitors that measure no kernel. */
export function triplesOf(artefacts: readonly Known[]): readonly Triple[] {
  return [
    [
      artefactVariants(artefacts, 'kernel'),
      artefactVariants(artefacts, 'initrd'),
      artefactVariants(artefacts, 'append'),
    ],
    [[NO_KERNEL_HASHES], KNOWN_FEATURES.map(featureVariant), vcpuVariants()],
  ];
}

/** Counts from one on. */
export function vcpuVariants(): readonly Variant[] {
  return Array.from({ length: MAX_TRIED_VCPUS }, (_, index) => ({
    input: 'vcpus',
    what: `${index + 1} vCPUs`,
    apply: (subject) => ({ ...subject, vcpus: index + 1 }),
  }));
}

const NO_KERNEL_HASHES: Variant = {
  input: 'kernel',
  what: 'no kernel hashes',
  apply: (subject) => (subject.kernel === undefined ? undefined : withoutKernel(subject)),
};

function vmmVariants(): readonly Variant[] {
  return VMMS.flatMap((vmm): readonly Variant[] => {
    const { rdx, fpu, title } = VMM_PROFILES[vmm];
    const signatures = rdx === undefined ? SIGNATURES : [rdx];
    return signatures.map((each) => ({
      input: 'vmm',
      what: rdx === undefined ? `${title}, vCPU model ${describeSignature(each)}` : title,
      apply: (subject) => (subject.vmm === vmm ? undefined : { ...subject, vmm, rdx: each, fpu }),
    }));
  });
}

const SIGNATURES = [...new Set(Object.values(VCPU_SIGNATURES))];

function signatureVariants(): readonly Variant[] {
  const models = SIGNATURES.map(
    (rdx): Variant => ({
      input: 'vcpuSignature',
      what: `vCPU model ${describeSignature(rdx)}`,
      apply: (subject) => (subject.vmm === 'qemu' ? { ...subject, rdx } : undefined),
    }),
  );
  return [
    ...models,
    {
      input: 'vcpuSignature',
      what: 'RDX 0, as older tools compute for EC2',
      apply: (subject) => (subject.vmm === 'ec2' ? { ...subject, rdx: 0 } : undefined),
    },
  ];
}

function featureVariant(sevFeatures: bigint): Variant {
  return {
    input: 'sevFeatures',
    what: `SEV features ${describeFeatures(sevFeatures)}`,
    apply: (subject) => ({ ...subject, sevFeatures }),
  };
}

function fpuVariant(): Variant {
  return {
    input: 'fpu',
    what: 'the FPU state of other host kernels',
    apply: (subject) => ({ ...subject, fpu: subject.fpu === 'zero' ? 'reset' : 'zero' }),
  };
}

function artefactVariants(artefacts: readonly Known[], kind: Known['kind']): readonly Variant[] {
  return artefacts.filter((each) => each.kind === kind).map(artefactVariant);
}

function artefactVariant(artefact: Known): Variant {
  if (artefact.kind === 'append') return cmdlineVariant(quoted(artefact.text), artefact.hash);
  const what = `${artefact.kind} ${artefact.name}`;
  if (artefact.kind === 'ovmf') {
    const { ovmf } = artefact;
    const apply = (subject: Subject): Subject =>
      supportsKernelHashes(ovmf) ? { ...subject, ovmf } : { ...withoutKernel(subject), ovmf };
    return { input: 'ovmf', what, apply };
  }
  const { kind, hash } = artefact;
  if (kind === 'initrd') {
    return { input: kind, what, apply: (subject) => withHashes(subject, { initrd: hash }) };
  }
  return { input: kind, what, apply: (subject) => withKernel(subject, hash) };
}

function cmdlineVariants(append: string): readonly Variant[] {
  const texts = [
    '',
    `${append}\n`,
    `${append}\r\n`,
    `${append}\r`,
    ` ${append}`,
    `${append} `,
    append.trim(),
    append.trim().replace(/\s+/g, ' '),
    `${append}${LOADER_SUFFIX}`,
    ...(append.endsWith(LOADER_SUFFIX) ? [append.slice(0, -LOADER_SUFFIX.length)] : []),
  ];
  const unterminated = sha256(new TextEncoder().encode(append));
  return [
    ...texts.map((text) => cmdlineVariant(quoted(text), terminatedHash(text))),
    cmdlineVariant(`${quoted(append)} without the NUL behind it`, unterminated),
  ];
}

function cmdlineVariant(text: string, hash: Uint8Array): Variant {
  return {
    input: 'append',
    what: `command line ${text}`,
    apply: (subject) => {
      const changed = withHashes(subject, { cmdline: hash });
      return changed && { ...changed, cmdline: text };
    },
  };
}

function withHashes(subject: Subject, change: Partial<KernelHashes>): Subject | undefined {
  const { kernel } = subject;
  return kernel === undefined ? undefined : { ...subject, kernel: { ...kernel, ...change } };
}

/** A launch that was expected without a kernel gets an empty command line. */
function withKernel(subject: Subject, kernel: Uint8Array): Subject | undefined {
  if (!supportsKernelHashes(subject.ovmf)) return undefined;
  const { initrd, cmdline } = subject.kernel ?? {
    initrd: EMPTY_SHA256,
    cmdline: terminatedHash(''),
  };
  return { ...subject, kernel: { kernel, initrd, cmdline } };
}

function withoutKernel(subject: Subject): Subject {
  return { ...subject, kernel: undefined };
}
