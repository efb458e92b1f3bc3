/**
 * A report as the objects of virtee/sev print themselves to JSON, in any of that crate's releases.
 *
 * Older ones name reserved bytes, and the oldest call KEY_INFO `_author_key_en`; newer ones leave
 * them out.
 *
 * @module
 */
import { setFieldUint } from '../report/field.ts';
import { FIELDS, type Field, REPORT_SIZE } from '../report/layout.ts';
import { encodeTcb, type Tcb } from '../report/tcb.ts';
import { BYTE_FIELDS } from './byte-fields.ts';
import { jsonArray, jsonMalformed, jsonObject, jsonUint, type Members } from './encodings/json.ts';

const NUMBERS: Readonly<Record<string, Field>> = {
  version: FIELDS.VERSION,
  guest_svn: FIELDS.GUEST_SVN,
  policy: FIELDS.POLICY,
  vmpl: FIELDS.VMPL,
  sig_algo: FIELDS.SIGNATURE_ALGO,
  plat_info: FIELDS.PLATFORM_INFO,
};

/** Absent, or null where a version does not have them. */
const OPTIONAL_NUMBERS: Readonly<Record<string, Field>> = {
  _reserved_0: { offset: 0x04c, size: 4 },
  cpuid_fam_id: FIELDS.CPUID_FAM_ID,
  cpuid_mod_id: FIELDS.CPUID_MOD_ID,
  cpuid_step: FIELDS.CPUID_STEP,
  _reserved_2: { offset: 0x1eb, size: 1 },
  _reserved_3: { offset: 0x1ef, size: 1 },
  launch_mit_vector: FIELDS.LAUNCH_MIT_VECTOR,
  current_mit_vector: FIELDS.CURRENT_MIT_VECTOR,
};

const RESERVED_4: Field = { offset: 0x1f8, size: 168 };

/** `_reserved_1` where a release has no CPUID, and where its CPUID stands before it. */
const RESERVED_1: Field = { offset: 0x188, size: 24 };
const RESERVED_1_BEHIND_CPUID: Field = { offset: 0x18b, size: 21 };
const CPUID_NAMES = ['cpuid_fam_id', 'cpuid_mod_id', 'cpuid_step'] as const;

const TCBS: Readonly<Record<string, Field>> = {
  current_tcb: FIELDS.CURRENT_TCB,
  reported_tcb: FIELDS.REPORTED_TCB,
  committed_tcb: FIELDS.COMMITTED_TCB,
  launch_tcb: FIELDS.LAUNCH_TCB,
};

/** Build, minor, major of the two firmware versions. */
const FIRMWARE: Readonly<Record<string, readonly [Field, Field, Field]>> = {
  current: [FIELDS.CURRENT_BUILD, FIELDS.CURRENT_MINOR, FIELDS.CURRENT_MAJOR],
  committed: [FIELDS.COMMITTED_BUILD, FIELDS.COMMITTED_MINOR, FIELDS.COMMITTED_MAJOR],
};

const PARTS = ['build', 'minor', 'major'] as const;

const SIGNATURE: Readonly<Record<string, Field>> = {
  r: FIELDS.SIGNATURE_R,
  s: FIELDS.SIGNATURE_S,
};

const KEY_INFO_NAMES = ['key_info', '_author_key_en'] as const;

const NAMES = [
  ...[NUMBERS, OPTIONAL_NUMBERS, BYTE_FIELDS, TCBS, FIRMWARE].flatMap(Object.keys),
  ...Object.keys(FIRMWARE).flatMap((name) => PARTS.map((part) => `${name}_${part}`)),
  ...KEY_INFO_NAMES,
  '_reserved_1',
  '_reserved_4',
  'signature',
];

/**
 * The 1184 bytes of a report whose fields an object has.
 *
 * @throws AttestationError `json-malformed` for a field that is missing, unknown, given in two
 *   ways or not of its size
 */
export function virteeReport(value: unknown): Uint8Array {
  const members = jsonObject(value, 'attestation_report', NAMES);
  const report = new Uint8Array(REPORT_SIZE);
  writeStrings(report, members);
  writeNumbers(report, members);
  for (const [name, field] of Object.entries(TCBS)) {
    report.set(tcbOf(members.get(name), name), field.offset);
  }
  for (const [name, fields] of Object.entries(FIRMWARE))
    writeFirmware(report, members, name, fields);
  writeSignature(report, members.get('signature'));
  return report;
}

function isPresent(value: unknown): boolean {
  return value !== undefined && value !== null;
}

function writeNumbers(report: Uint8Array, members: Members): void {
  for (const [name, field] of Object.entries(NUMBERS)) {
    setFieldUint(report, field, jsonUint(members.get(name), name, field.size));
  }
  for (const [name, field] of Object.entries(OPTIONAL_NUMBERS)) {
    const value = members.get(name);
    if (isPresent(value)) setFieldUint(report, field, jsonUint(value, name, field.size));
  }
  const [name, ...more] = KEY_INFO_NAMES.filter((candidate) => members.has(candidate));
  if (name === undefined || more.length > 0) {
    throw jsonMalformed('attestation_report', 'an object with a key_info');
  }
  setFieldUint(report, FIELDS.KEY_INFO, jsonUint(members.get(name), name, FIELDS.KEY_INFO.size));
}

function writeStrings(report: Uint8Array, members: Members): void {
  for (const [name, field] of Object.entries(BYTE_FIELDS)) {
    report.set(byteArray(members.get(name), name, field.size), field.offset);
  }
  const [reserved1, reserved4] = [members.get('_reserved_1'), members.get('_reserved_4')];
  if (isPresent(reserved1)) writeReserved1(report, reserved1, members);
  if (isPresent(reserved4)) {
    report.set(byteArray(reserved4, '_reserved_4', RESERVED_4.size), RESERVED_4.offset);
  }
}

/** Its length says where it is. */
function writeReserved1(report: Uint8Array, value: unknown, members: Members): void {
  const bytes = jsonByteArray(value, '_reserved_1', RESERVED_1.size);
  const fields = CPUID_NAMES.some((name) => isPresent(members.get(name)))
    ? [RESERVED_1_BEHIND_CPUID]
    : [RESERVED_1, RESERVED_1_BEHIND_CPUID];
  const field = fields.find(({ size }) => size === bytes.length);
  if (field === undefined) {
    throw jsonMalformed(
      '_reserved_1',
      `an array of ${fields.map(({ size }) => size).join(' or ')} bytes`,
    );
  }
  report.set(bytes, field.offset);
}

/** Bytes as an array of numbers. */
export function jsonByteArray(value: unknown, path: string, most: number): Uint8Array {
  const elements = jsonArray(value, path, most);
  const bytes = new Uint8Array(elements.length);
  // Certificates come so, thousands of numbers each.
  for (const [index, element] of elements.entries()) {
    bytes[index] = isByte(element) ? element : Number(jsonUint(element, path, 1));
  }
  return bytes;
}

function isByte(value: unknown): value is number {
  return typeof value === 'number' && (value & 0xff) === value;
}

function byteArray(value: unknown, path: string, size: number): Uint8Array {
  const bytes = jsonByteArray(value, path, size);
  if (bytes.length !== size) throw jsonMalformed(path, `an array of ${size} bytes`);
  return bytes;
}

/** Turin's alone has an `fmc`. */
function tcbOf(value: unknown, path: string): Uint8Array {
  const members = jsonObject(value, path, [
    'fmc',
    'bootloader',
    'tee',
    '_reserved',
    'snp',
    'microcode',
  ]);
  const level = (name: string) => Number(jsonUint(members.get(name), `${path}.${name}`, 1));
  checkZeros(members.get('_reserved'), `${path}._reserved`, 4);
  const tcb: Tcb = {
    bl: level('bootloader'),
    tee: level('tee'),
    snp: level('snp'),
    ucode: level('microcode'),
  };
  return isPresent(members.get('fmc'))
    ? encodeTcb({ ...tcb, fmc: level('fmc') }, 'turin')
    : encodeTcb(tcb, 'milan-genoa');
}

/** Reserved bytes that some releases print. */
function checkZeros(value: unknown, path: string, size: number): void {
  if (isPresent(value) && byteArray(value, path, size).some((byte) => byte !== 0)) {
    throw jsonMalformed(path, 'zeros');
  }
}

function writeFirmware(
  report: Uint8Array,
  members: Members,
  name: string,
  fields: readonly [Field, Field, Field],
): void {
  const flat = PARTS.map((part) => `${name}_${part}`);
  const given = members.get(name);
  if (isPresent(given) && flat.some((member) => members.has(member))) {
    throw jsonMalformed(name, 'given once');
  }
  const parts = isPresent(given) ? jsonObject(given, name, PARTS) : members;
  const names = isPresent(given) ? PARTS : flat;
  fields.forEach((field, index) => {
    const part = String(names[index]);
    setFieldUint(report, field, jsonUint(parts.get(part), part, 1));
  });
}

function writeSignature(report: Uint8Array, value: unknown): void {
  const members = jsonObject(value, 'signature', [...Object.keys(SIGNATURE), '_reserved']);
  for (const [name, field] of Object.entries(SIGNATURE)) {
    const path = `signature.${name}`;
    report.set(byteArray(members.get(name), path, field.size), field.offset);
  }
  checkZeros(members.get('_reserved'), 'signature._reserved', FIELDS.SIGNATURE_RESERVED.size);
}
