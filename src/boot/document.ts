/**
 * `boot.json`: names the sources and the files of a boot set.
 *
 * @module
 */
import type { VcpuType } from '@a3s-box/attestation/measure';
import * as z from 'zod';
import { canonicalJson } from '../canonical-json.ts';
import { sha256 } from './digest.ts';
import { FirmwareSource, FirmwareTools } from './firmware-source.ts';
import { KernelPackage } from './make/kernel-package.ts';

export const BOOT_SET_SCHEMA = 'a3s-box/boot-set/v2';
export const PLAIN_BOOT_SET_SCHEMA = 'a3s-box/boot-set/v1';
export const ARM64_BOOT_SET_SCHEMA = 'a3s-box/boot-set-arm64/v1';

/** Longest `boot.json`. */
export const MAX_DOCUMENT = 1024 * 1024;

/** The files of a set beside its `boot.json`. */
export const BOOT_FILES = [
  'vmlinux',
  'bzImage',
  'initrd',
  'initrd-confidential',
  'OVMF.fd',
] as const;
export type BootFile = (typeof BOOT_FILES)[number];

/** Every VM of the set has this model: the measurement depends on no property of a host. */
export const VCPU_TYPE = 'EPYC-Milan-v2' satisfies VcpuType;

/** The largest of them is the unpacked kernel, less than a quarter of this. */
const MAX_BOOT_FILE = 256 * 1024 ** 2;

const digest = z.string().regex(/^[0-9a-f]{64}$/);
const line = z.string().min(1).max(256);
const Artefact = z.strictObject({ sha256: digest, size: z.int().min(1).max(MAX_BOOT_FILE) });
/** Nothing in it depends on a box. */
const CommandLine = z.array(z.string().regex(/^[!-~]{1,256}$/)).max(64);
/** In the order in which they load. */
const Modules = z.array(Artefact.extend({ name: line })).max(256);
const Kernel = KernelPackage.extend({ release: line });
const Agent = z.strictObject({
  version: line,
  go: line,
  /** Over the sources, as `sourceDigest` reads them. */
  source: digest,
});

export const BootDocument = z.strictObject({
  schema: z.literal(BOOT_SET_SCHEMA),
  /** SHA-256 over the rest of this document; the set's name. */
  id: digest,
  files: z.strictObject({
    vmlinux: Artefact,
    bzImage: Artefact,
    initrd: Artefact,
    'initrd-confidential': Artefact,
    'OVMF.fd': Artefact,
  }),
  kernel: Kernel,
  agent: Agent,
  /** What writes the layers that this set mounts. */
  erofs: line,
  /** `vmlinux` with `initrd`. */
  plain: z.strictObject({ commandLine: CommandLine, modules: Modules, agent: Artefact }),
  /** `OVMF.fd`, and `bzImage` with `initrd-confidential` under it. */
  confidential: z.strictObject({
    /** By the party that vouches for the guest. */
    commandLines: z.strictObject({ snp: CommandLine, simulated: CommandLine }),
    modules: Modules,
    agent: Artefact,
    /** Revision of launch specs that its agent reads: LAUNCH_SPEC_REVISION. None is 1. */
    launchSpec: z.int().min(2).max(65_535).optional(),
    firmware: z.strictObject({
      source: FirmwareSource,
      /**
       * Over `native/firmware`, as `sourceDigest` reads it; none in sets with edk2's own platform.
       */
      platform: digest.optional(),
      tools: FirmwareTools,
    }),
    /** vCPU model by QEMU's name; its signature is measured. */
    vcpuType: z.literal(VCPU_TYPE),
    /** POLICY of the launch: bit 17 is one, and none above 25. */
    policy: z.string().regex(/^0x[23][0-9a-f]{4}$/),
  }),
});
export type BootDocument = z.infer<typeof BootDocument>;

/** Of a set that plain boxes alone boot from: it needs no firmware. */
export const PlainBootDocument = z.strictObject({
  schema: z.literal(PLAIN_BOOT_SET_SCHEMA),
  id: digest,
  profile: z.literal('plain'),
  files: z.strictObject({ vmlinux: Artefact, bzImage: Artefact, initrd: Artefact }),
  commandLine: CommandLine,
  kernel: Kernel,
  agent: Agent.extend({ binary: Artefact }),
  modules: Modules,
  erofs: line,
});
export type PlainBootDocument = z.infer<typeof PlainBootDocument>;

/** Of a set for boxes of arm64, which are plain. */
export const Arm64BootDocument = z.strictObject({
  schema: z.literal(ARM64_BOOT_SET_SCHEMA),
  id: digest,
  architecture: z.literal('arm64'),
  profile: z.literal('plain'),
  files: z.strictObject({ Image: Artefact, initrd: Artefact }),
  commandLine: CommandLine,
  kernel: Kernel,
  agent: Agent.extend({ binary: Artefact }),
  modules: Modules,
  erofs: line,
});
export type Arm64BootDocument = z.infer<typeof Arm64BootDocument>;

/** Any of them. */
export const AnyBootDocument = z.discriminatedUnion('schema', [
  BootDocument,
  PlainBootDocument,
  Arm64BootDocument,
]);
export type AnyBootDocument = z.infer<typeof AnyBootDocument>;

/** `boot.json` itself: one document, one text. */
export function documentText(document: AnyBootDocument): string {
  return `${JSON.stringify(AnyBootDocument.parse(document), null, 2)}\n`;
}

/** Name, digest and size of each file of a set. */
export function filesOf(
  document: AnyBootDocument,
): readonly (readonly [name: string, artefact: z.infer<typeof Artefact>])[] {
  return Object.entries(document.files);
}

/** The id of a document, whatever id it claims. */
export function bootSetId(document: Readonly<Record<string, unknown>>): string {
  const { id: _, ...rest } = document;
  return sha256(canonicalJson(rest));
}
