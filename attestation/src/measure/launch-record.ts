/**
 * Launch records: a host's statement of what it launched, as a JSON document of digests.
 *
 * **Untrusted.** A record is believed only when its digest, computed again, is the digest that the
 * secure processor signed: then it describes what was launched.
 *
 * @module
 */
import * as z from 'zod/mini';
import { AttestationError } from '../errors.ts';
import { fromHex, toHex } from '../hex.ts';
import { type LaunchInputs, MAX_VCPUS, resolveLaunch } from './inputs.ts';
import { measureLaunch } from './launch.ts';
import { type LaunchMeasurement, measureOvmf } from './measure.ts';
import { type KernelHashes, MAX_CMDLINE } from './ovmf/kernel-hashes.ts';
import { MAX_SECTIONS, SECTION_TYPES, type SectionType } from './ovmf/ovmf-metadata.ts';
import { VCPU_TYPES } from './vcpu-types.ts';
import { VMMS } from './vmm.ts';

export const LAUNCH_RECORD_SCHEMA = 'a3s-box/launch-record/v1';

/** Bad fields that a message names. */
const MAX_ISSUES = 8;

const word = z.int().check(z.gte(0), z.lte(0xffff_ffff));
const hex = (size: number) => z.string().check(z.regex(new RegExp(`^[0-9a-f]{${2 * size}}$`)));
const file = z.strictObject({ sha256: hex(32) });
const sectionType = z.enum(Object.keys(SECTION_TYPES) as [SectionType, ...SectionType[]]);

const RECORD = z.strictObject({
  schema: z.literal(LAUNCH_RECORD_SCHEMA),
  vmm: z.enum(VMMS),
  ovmf: z.strictObject({
    hash: hex(48),
    sections: z
      .array(z.strictObject({ gpa: word, size: word, type: sectionType }))
      .check(z.maxLength(MAX_SECTIONS)),
    hashTableGpa: z.nullable(word),
    resetEip: word,
  }),
  kernel: z.nullable(file),
  initrd: z.nullable(file),
  append: z.nullable(z.string().check(z.maxLength(MAX_CMDLINE))),
  vcpus: z.int().check(z.gte(1), z.lte(MAX_VCPUS)),
  vcpuType: z.nullable(z.enum(VCPU_TYPES)),
  vcpuSignature: z.nullable(word),
  sevFeatures: z.string().check(z.regex(/^0x(0|[1-9a-f][0-9a-f]{0,15})$/)),
  fpu: z.nullable(z.enum(['reset', 'zero'])),
  digest: hex(48),
});

/**
 * A launch record, as JSON: digests in lower-case hexadecimal, `sevFeatures` with `0x`.
 *
 * `ovmf.hash` is the launch digest over the image's pages alone. `digest` is the host's claim,
 * which nothing here relies on.
 */
export type LaunchRecord = z.infer<typeof RECORD>;

/**
 * Checks an untrusted value, such as of `JSON.parse`.
 *
 * @throws AttestationError `launch-record-malformed`: another shape, unknown keys, or inputs that
 *   cannot be measured
 */
export function parseLaunchRecord(value: unknown): LaunchRecord {
  const parsed = z.safeParse(RECORD, value);
  if (!parsed.success) {
    const issues = parsed.error.issues.slice(0, MAX_ISSUES);
    const fields = issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
    throw malformed(fields.join('; '), parsed.error);
  }
  try {
    resolveLaunch(recordInputs(parsed.data));
  } catch (cause) {
    throw malformed(String(cause), cause);
  }
  return parsed.data;
}

/** The record of a launch for the verifiers of its reports. Throws as `measureOvmf` does. */
export function launchRecordOf(inputs: LaunchInputs): LaunchRecord {
  const launch = resolveLaunch(inputs);
  const { ovmf } = launch;
  return {
    schema: LAUNCH_RECORD_SCHEMA,
    vmm: launch.vmm,
    ovmf: {
      hash: toHex(ovmf.hash),
      sections: ovmf.sections.map(({ gpa, size, type }) => ({ gpa, size, type })),
      hashTableGpa: ovmf.hashTableGpa ?? null,
      resetEip: ovmf.resetEip,
    },
    ...fileRecords(launch.kernel, inputs.initrd !== undefined),
    append: inputs.append ?? null,
    vcpus: launch.vcpus,
    vcpuType: inputs.vcpuType ?? null,
    vcpuSignature: inputs.vcpuSignature ?? null,
    sevFeatures: `0x${launch.sevFeatures.toString(16)}`,
    fpu: inputs.fpu ?? null,
    digest: toHex(measureLaunch(launch)),
  };
}

/**
 * Computes the digest of the launch that a record describes. It does not use the digest that the
 * record claims.
 */
export function measureRecord(record: LaunchRecord): LaunchMeasurement {
  return measureOvmf(recordInputs(record));
}

/** The inputs that a record names. */
export function recordInputs(record: LaunchRecord): LaunchInputs {
  const { hash, sections, hashTableGpa, resetEip } = record.ovmf;
  return {
    vmm: record.vmm,
    ovmf: { hash: bytesOf(hash), sections, hashTableGpa: hashTableGpa ?? undefined, resetEip },
    kernel: record.kernel === null ? undefined : { sha256: bytesOf(record.kernel.sha256) },
    initrd: record.initrd === null ? undefined : { sha256: bytesOf(record.initrd.sha256) },
    append: record.append ?? undefined,
    vcpus: record.vcpus,
    vcpuType: record.vcpuType ?? undefined,
    vcpuSignature: record.vcpuSignature ?? undefined,
    sevFeatures: BigInt(record.sevFeatures),
    fpu: record.fpu ?? undefined,
  };
}

function fileRecords(
  hashes: KernelHashes | undefined,
  hasInitrd: boolean,
): Pick<LaunchRecord, 'kernel' | 'initrd'> {
  if (hashes === undefined) return { kernel: null, initrd: null };
  const { kernel, initrd } = hashes;
  return {
    kernel: { sha256: toHex(kernel) },
    initrd: hasInitrd ? { sha256: toHex(initrd) } : null,
  };
}

function malformed(what: string, cause: unknown): AttestationError {
  return new AttestationError('launch-record-malformed', `Cannot read a launch record: ${what}`, {
    expected: LAUNCH_RECORD_SCHEMA,
    cause,
  });
}

/** Decodes digits that the schema has checked, or an empty text, whose length is then refused. */
function bytesOf(digits: string): Uint8Array {
  return Uint8Array.from(fromHex(digits) ?? []);
}
