/**
 * Evidence of go-sev-guest: `sevsnp.Attestation` as protobuf's JSON mapping prints it.
 *
 * The report comes as its fields, so its bytes are reassembled; the signature over them shows
 * whether that succeeded.
 *
 * @module
 */
import type { Evidence } from '../evidence.ts';
import { setFieldUint } from '../report/field.ts';
import { FIELDS, type Field, REPORT_SIZE } from '../report/layout.ts';
import { BYTE_FIELDS } from './byte-fields.ts';
import {
  jsonBase64,
  jsonMalformed,
  jsonObject,
  jsonUint,
  jsonValue,
  type Members,
} from './encodings/json.ts';
import type { EntryName } from './entry-contents.ts';
import { certificatesOf, evidenceOf } from './evidence-of.ts';
import { jsonEntry } from './json-entry.ts';

/** Numbers of `sevsnp.Report`, by their names in the schema. */
const NUMBERS: Readonly<Record<string, Field>> = {
  version: FIELDS.VERSION,
  guest_svn: FIELDS.GUEST_SVN,
  policy: FIELDS.POLICY,
  vmpl: FIELDS.VMPL,
  signature_algo: FIELDS.SIGNATURE_ALGO,
  current_tcb: FIELDS.CURRENT_TCB,
  platform_info: FIELDS.PLATFORM_INFO,
  signer_info: FIELDS.KEY_INFO,
  reported_tcb: FIELDS.REPORTED_TCB,
  committed_tcb: FIELDS.COMMITTED_TCB,
  current_build: FIELDS.CURRENT_BUILD,
  current_minor: FIELDS.CURRENT_MINOR,
  current_major: FIELDS.CURRENT_MAJOR,
  committed_build: FIELDS.COMMITTED_BUILD,
  committed_minor: FIELDS.COMMITTED_MINOR,
  committed_major: FIELDS.COMMITTED_MAJOR,
  launch_tcb: FIELDS.LAUNCH_TCB,
  launch_mit_vector: FIELDS.LAUNCH_MIT_VECTOR,
  current_mit_vector: FIELDS.CURRENT_MIT_VECTOR,
};

const STRINGS: Readonly<Record<string, Field>> = {
  ...BYTE_FIELDS,
  signature: FIELDS.SIGNATURE,
};

/** CPUID(1).EAX without stepping's neighbours: family, model and stepping in one number. */
const CPUID_EAX = 'cpuid1eax_fms';
const CPUID_EAX_BITS = 0x0fff_0fffn;

const REPORT_NAMES = [...Object.keys(NUMBERS), ...Object.keys(STRINGS), CPUID_EAX];
const ENTRIES = ['vcek', 'vlek', 'ask', 'ark'] as const;
const CHAIN_NAMES = [...ENTRIES.map((name) => `${name}_cert`), 'firmware_cert', 'extras'];
const ATTESTATION_NAMES = ['report', 'certificate_chain', 'product'];

/**
 * Evidence of go-sev-guest's JSON, given as text or parsed.
 *
 * Members have their names in the schema or those in camel case, absent ones and null mean zero or
 * nothing, and 64-bit numbers are decimal strings, as the mapping has it. What the attester says of
 * its product, and certificates that endorse firmware, are not used. Certificates are DER or PEM,
 * may be padded, and where an authority belongs there may be a chain of two.
 *
 * @throws AttestationError `json-malformed` for anything else, unknown members, a member that
 *   occurs twice and more than 1 MiB included
 */
export function evidenceFromGoSevGuestJson(input: unknown): Evidence {
  const attestation = message(jsonValue(input), 'the envelope', ATTESTATION_NAMES);
  const report = readReport(message(attestation.get('report'), 'report', REPORT_NAMES));
  const chain = message(
    attestation.get('certificate_chain') ?? {},
    'certificate_chain',
    CHAIN_NAMES,
  );
  return evidenceOf(report, certificatesOf(readChain(chain)));
}

function camelCase(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** The members of a message that are not null, by their names in the schema. */
function message(value: unknown, path: string, names: readonly string[]): Members {
  const given = jsonObject(value, path, [...names, ...names.map(camelCase)]);
  const members = new Map<string, unknown>();
  for (const name of names) {
    const camel = camelCase(name);
    if (camel !== name && given.has(name) && given.has(camel)) {
      throw jsonMalformed(path, `an object with one of ${name} and ${camel}`);
    }
    const member = given.get(name) ?? given.get(camel);
    if (member !== undefined && member !== null) members.set(name, member);
  }
  return members;
}

function readReport(members: Members): Uint8Array {
  const report = new Uint8Array(REPORT_SIZE);
  for (const [name, field] of Object.entries(NUMBERS)) {
    setFieldUint(report, field, uint(members.get(name), `report.${name}`, field.size));
  }
  for (const [name, field] of Object.entries(STRINGS)) {
    const bytes = jsonBase64(members.get(name), `report.${name}`);
    if (bytes.length !== field.size) {
      throw jsonMalformed(`report.${name}`, `base64 of ${field.size} bytes`);
    }
    report.set(bytes, field.offset);
  }
  writeCpuid(report, uint(members.get(CPUID_EAX), `report.${CPUID_EAX}`, 4));
  return report;
}

/** CPUID(1).EAX: extended family 27:20, extended model 19:16, family 11:8, model 7:4, stepping. */
function writeCpuid(report: Uint8Array, eax: bigint): void {
  const family = ((eax >> 20n) & 0xffn) + ((eax >> 8n) & 0xfn);
  if ((eax & ~CPUID_EAX_BITS) !== 0n || family > 0xffn) {
    throw jsonMalformed(`report.${CPUID_EAX}`, 'a family, model and stepping');
  }
  setFieldUint(report, FIELDS.CPUID_FAM_ID, family);
  setFieldUint(report, FIELDS.CPUID_MOD_ID, (((eax >> 16n) & 0xfn) << 4n) | ((eax >> 4n) & 0xfn));
  setFieldUint(report, FIELDS.CPUID_STEP, eax & 0xfn);
}

/** A number of the mapping: one, a decimal string, or absent for zero. */
function uint(value: unknown, path: string, size: number): bigint {
  if (value === undefined) return 0n;
  if (typeof value !== 'string') return jsonUint(value, path, size);
  if (!/^(?:0|[1-9][0-9]{0,19})$/.test(value) || BigInt(value) >> BigInt(8 * size) !== 0n) {
    throw jsonMalformed(path, `an unsigned integer of ${size} bytes`);
  }
  return BigInt(value);
}

function readChain(chain: Members): ReadonlyMap<EntryName, Uint8Array[]> {
  const found = new Map<EntryName, Uint8Array[]>();
  for (const name of ENTRIES) {
    const path = `certificate_chain.${name}_cert`;
    const bytes = jsonBase64(chain.get(`${name}_cert`) ?? '', path);
    if (bytes.length > 0) found.set(name, jsonEntry(name, bytes, path));
  }
  return found;
}
