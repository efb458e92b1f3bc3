/**
 * The inputs of a launch digest in words, and how two launches differ.
 *
 * @module
 */
import { toHex } from '../../hex.ts';
import type { Launch } from '../launch.ts';
import { EMPTY_SHA256 } from '../ovmf/kernel-hashes.ts';
import { describeFeatures } from '../sev-features.ts';
import { describeSignature } from '../vcpu-types.ts';
import { VMM_PROFILES } from '../vmm.ts';
import { ovmfKey } from './digest-memo.ts';

/** What a launch digest covers, each by the name under which it is reported. */
export const INPUT_NAMES = [
  'vmm',
  'ovmf',
  'kernel',
  'initrd',
  'append',
  'vcpuSignature',
  'sevFeatures',
  'fpu',
  'vcpus',
] as const;

/** What a launch digest depends on. */
export type InputName = (typeof INPUT_NAMES)[number];

/** A launch with the text of its command line; the launch itself has only the hash. */
export interface Subject extends Launch {
  readonly cmdline: string;
}

/** One input of the expected launch beside that of the actual. */
export interface ExplainedInput {
  readonly name: InputName;
  readonly expected: string;
  /** Absent where it is unknown. */
  readonly actual?: string;
  readonly verdict: 'same' | 'differs' | 'unknown';
}

/** File names by digest, as hexadecimal. */
export type Names = ReadonlyMap<string, string>;

/** Stands for a value that the monitor decides. */
export const OF_MONITOR = 'that of the monitor';

interface Figure {
  readonly key: string;
  readonly text: string;
}

type Figures = Readonly<Record<InputName, Figure>>;

const UNMEASURED: Figure = { key: 'unmeasured', text: 'not measured' };
const NONE: Figure = { key: 'none', text: 'none' };

/** Compares input for input; with no actual launch, nothing is known. */
export function compare(
  expected: Subject,
  actual: Subject | undefined,
  names: Names,
): readonly ExplainedInput[] {
  const left = figures(expected, names);
  if (actual === undefined) {
    return INPUT_NAMES.map((name) => ({
      name,
      expected: left[name].text,
      verdict: 'unknown' as const,
    }));
  }
  const right = figures(actual, names);
  return INPUT_NAMES.map((name) => ({
    name,
    expected: left[name].text,
    actual: right[name].text,
    verdict: verdict(left[name], right[name]),
  }));
}

/** A launch without kernel hashes does not measure these inputs, so they can have any value. */
function verdict(expected: Figure, actual: Figure): ExplainedInput['verdict'] {
  if (expected.key === actual.key) return 'same';
  return actual === UNMEASURED || expected === UNMEASURED ? 'unknown' : 'differs';
}

function figures(subject: Subject, names: Names): Figures {
  const { vmm, kernel, vcpus } = subject;
  return {
    vmm: { key: vmm, text: VMM_PROFILES[vmm].title },
    ovmf: ovmfFigure(subject, names),
    kernel: kernel === undefined ? NONE : fileFigure(kernel.kernel, names),
    initrd: kernel === undefined ? UNMEASURED : initrdFigure(kernel.initrd, names),
    append:
      kernel === undefined ? UNMEASURED : { key: toHex(kernel.cmdline), text: subject.cmdline },
    vcpuSignature: signatureFigure(subject),
    sevFeatures: plain(describeFeatures(subject.sevFeatures)),
    fpu: fpuFigure(subject),
    vcpus: plain(`${vcpus}`),
  };
}

/**
 * A text in quotes, safe to print: it can come from a hostile host, so what steers terminals or
 * turns the reading direction around is escaped.
 */
export function quoted(text: string): string {
  return JSON.stringify(text).replace(
    /[\p{C}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${Number(character.codePointAt(0)).toString(16)}}`,
  );
}

function ovmfFigure({ ovmf }: Subject, names: Names): Figure {
  const hash = toHex(ovmf.hash);
  const text = `${named(hash, names)}, ${ovmf.sections.length} sections`;
  return { key: ovmfKey(ovmf), text };
}

function fileFigure(hash: Uint8Array, names: Names): Figure {
  const hex = toHex(hash);
  return { key: hex, text: `sha256:${named(hex, names)}` };
}

/** An empty initrd and none are the same to the digest. */
function initrdFigure(hash: Uint8Array, names: Names): Figure {
  return toHex(hash) === toHex(EMPTY_SHA256) ? NONE : fileFigure(hash, names);
}

function named(hex: string, names: Names): string {
  const name = names.get(hex);
  return name === undefined ? hex : `${hex} (${name})`;
}

function signatureFigure({ vmm, rdx }: Subject): Figure {
  const { rdx: usual } = VMM_PROFILES[vmm];
  if (usual === undefined) return plain(describeSignature(rdx));
  return rdx === usual ? plain(OF_MONITOR) : plain(`0x${rdx.toString(16)}`);
}

function fpuFigure({ vmm, fpu }: Subject): Figure {
  return fpu === VMM_PROFILES[vmm].fpu
    ? plain(OF_MONITOR)
    : plain(fpu === 'zero' ? 'zeros' : 'as after a reset');
}

function plain(text: string): Figure {
  return { key: text, text };
}
