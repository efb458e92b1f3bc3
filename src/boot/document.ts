/**
 * `boot.json`: names everything that a boot set was made from and consists of.
 *
 * @module
 */
import * as z from 'zod';
import { sha256 } from './digest.ts';
import { KernelPackage } from './kernel-package.ts';

export const BOOT_SET_SCHEMA = 'a3s-box/boot-set/v1';

/** The files of a set beside its `boot.json`. */
export const BOOT_FILES = ['vmlinux', 'bzImage', 'initrd'] as const;

const digest = z.string().regex(/^[0-9a-f]{64}$/);
const line = z.string().min(1).max(256);
const Artefact = z.strictObject({ sha256: digest, size: z.int().min(1) });

export const BootDocument = z.strictObject({
  schema: z.literal(BOOT_SET_SCHEMA),
  /** SHA-256 over the rest of this document; the set's name. */
  id: digest,
  profile: z.literal('plain'),
  files: z.strictObject({ vmlinux: Artefact, bzImage: Artefact, initrd: Artefact }),
  /** What `MachineSpec.boot` gets; nothing in it depends on a box. */
  commandLine: z.array(z.string().regex(/^[!-~]{1,256}$/)).max(64),
  kernel: KernelPackage.extend({ release: line }),
  agent: z.strictObject({
    version: line,
    go: line,
    /** Over the sources, as `agentSourceDigest` reads them. */
    source: digest,
    binary: Artefact,
  }),
  /** In the order in which they load. */
  modules: z.array(Artefact.extend({ name: line })).max(256),
  /** What writes the layers that this set mounts. */
  erofs: line,
});
export type BootDocument = z.infer<typeof BootDocument>;

/** The id of a document, whatever id it claims. */
export function bootSetId(document: Omit<BootDocument, 'id'> & { id?: string }): string {
  const { id: _, ...rest } = document;
  return sha256(canonical(rest));
}

/** JSON with sorted keys and no blanks: one document, one text. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, member]) => `${JSON.stringify(key)}:${canonical(member)}`);
  return `{${members.join(',')}}`;
}
