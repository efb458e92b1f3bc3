/**
 * The header of an envelope: which guest opens it, and how its key is made. It is authenticated
 * with the content, and has one encoding.
 *
 * @module
 */
import { concat, isZero, ownedBytes } from './bytes.ts';
import { SealingError } from './errors.ts';
import { POLICY_FIELDS, type SealingPolicy } from './key-request.ts';
import { isPurpose, MAX_PURPOSE } from './purpose.ts';

/** The version of the format. */
export const ENVELOPE_VERSION = 1;
/** The version of how a key is made of a header. */
export const KEY_VERSION = 1;

const MAGIC = new TextEncoder().encode('A3S-SEAL');
const TEES = { 'sev-snp': 1, simulated: 2 } as const;
const POLICIES = { exact: 1, upgradable: 2 } as const;

/** The kind of processor that sealed. */
export type SealingTee = keyof typeof TEES;

const SIZES = { digest: 48, hostData: 32, salt: 32 } as const;
/** Where each field begins; numbers are big-endian. The purpose is last. */
const AT = {
  version: 8,
  keyVersion: 10,
  tee: 12,
  policy: 13,
  purposeSize: 14,
  fields: 16,
  guestSvn: 24,
  tcbVersion: 28,
  measurement: 36,
  idKeyDigest: 84,
  hostData: 132,
  salt: 164,
  purpose: 196,
} as const;

/** The longest header, in bytes. */
export const MAX_HEADER = AT.purpose + MAX_PURPOSE;

export interface SealedHeader {
  readonly tee: SealingTee;
  readonly policy: SealingPolicy;
  readonly purpose: string;
  /** The least GUEST_SVN of a guest that opens it. */
  readonly guestSvn: number;
  /** TCB_VERSION of the key, little-endian as in a report. */
  readonly tcbVersion: bigint;
  /** MEASUREMENT, 48 bytes; zero where the policy is `upgradable`. */
  readonly measurement: Uint8Array;
  /** ID_KEY_DIGEST, 48 bytes; zero where the policy is `exact`. */
  readonly idKeyDigest: Uint8Array;
  /** HOST_DATA, 32 bytes: SHA-256 of the launch spec. */
  readonly hostData: Uint8Array;
  /** 32 random bytes, new for each envelope. */
  readonly salt: Uint8Array;
}

/** @throws TypeError, RangeError for a header that cannot be one */
export function encodeHeader(header: SealedHeader): Uint8Array {
  const { tee, policy, purpose, guestSvn, tcbVersion } = header;
  if (!isPurpose(purpose)) throw new RangeError(`${JSON.stringify(purpose)} is no purpose`);
  const bytes = new Uint8Array(AT.purpose + purpose.length);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC);
  view.setUint16(AT.version, ENVELOPE_VERSION);
  view.setUint16(AT.keyVersion, KEY_VERSION);
  view.setUint8(AT.tee, TEES[tee]);
  view.setUint8(AT.policy, POLICIES[policy]);
  view.setUint16(AT.purposeSize, purpose.length);
  view.setBigUint64(AT.fields, POLICY_FIELDS[policy]);
  view.setUint32(AT.guestSvn, within(guestSvn, 0xffff_ffff, 'guestSvn'));
  view.setBigUint64(AT.tcbVersion, within(tcbVersion, 0xffff_ffff_ffff_ffffn, 'tcbVersion'));
  bytes.set(sized(header.measurement, SIZES.digest, 'measurement'), AT.measurement);
  bytes.set(sized(header.idKeyDigest, SIZES.digest, 'idKeyDigest'), AT.idKeyDigest);
  bytes.set(sized(header.hostData, SIZES.hostData, 'hostData'), AT.hostData);
  bytes.set(sized(header.salt, SIZES.salt, 'salt'), AT.salt);
  bytes.set(new TextEncoder().encode(purpose), AT.purpose);
  const [wrong] = bindingProblems(header);
  if (wrong !== undefined) throw new RangeError(`the header ${wrong}`);
  return bytes;
}

/**
 * Reads the header at the beginning of bytes.
 *
 * @returns the header, and its size in bytes
 * @throws {SealingError} `envelope-malformed`, `envelope-version`
 */
export function parseHeader(input: Uint8Array): { header: SealedHeader; size: number } {
  const bytes = ownedBytes(input, 'envelope');
  if (bytes.length <= AT.purpose) throw malformed(`has ${bytes.length} bytes`);
  if (!MAGIC.every((byte, index) => byte === bytes[index]))
    throw malformed('does not begin as one');
  const view = new DataView(bytes.buffer);
  knownVersion('envelope', view.getUint16(AT.version), ENVELOPE_VERSION);
  knownVersion('key', view.getUint16(AT.keyVersion), KEY_VERSION);
  const tee = nameOf(TEES, view.getUint8(AT.tee), 'TEE');
  const policy = nameOf(POLICIES, view.getUint8(AT.policy), 'policy');
  const fields = view.getBigUint64(AT.fields);
  if (fields !== POLICY_FIELDS[policy]) {
    throw malformed(`has the fields 0x${fields.toString(16)}, which are not those of ${policy}`);
  }
  const size = AT.purpose + view.getUint16(AT.purposeSize);
  const purpose = String.fromCharCode(...bytes.subarray(AT.purpose, Math.min(size, MAX_HEADER)));
  if (size > bytes.length || size > MAX_HEADER || !isPurpose(purpose)) {
    throw malformed('has no purpose');
  }
  const header = {
    tee,
    policy,
    purpose,
    guestSvn: view.getUint32(AT.guestSvn),
    tcbVersion: view.getBigUint64(AT.tcbVersion),
    measurement: bytes.slice(AT.measurement, AT.idKeyDigest),
    idKeyDigest: bytes.slice(AT.idKeyDigest, AT.hostData),
    hostData: bytes.slice(AT.hostData, AT.salt),
    salt: bytes.slice(AT.salt, AT.purpose),
  };
  const [wrong] = bindingProblems(header);
  if (wrong !== undefined) throw malformed(wrong);
  return { header, size };
}

/** Joins a header and the rest of an envelope. */
export function withContent(header: Uint8Array, content: Uint8Array): Uint8Array {
  return concat([header, content]);
}

/** Fields that the policy binds are non-zero; the others are zero: a header has one encoding. */
function bindingProblems({ policy, measurement, idKeyDigest }: SealedHeader): readonly string[] {
  const [bound, free] =
    policy === 'exact' ? [measurement, idKeyDigest] : [idKeyDigest, measurement];
  return [
    ...(isZero(bound) ? [`binds nothing, although it is ${policy}`] : []),
    ...(isZero(free) ? [] : [`has a digest that ${policy} does not bind`]),
  ];
}

function knownVersion(what: string, found: number, known: number): void {
  if (found === known) return;
  throw new SealingError(
    'envelope-version',
    `Cannot open the envelope: its ${what} version is ${found}.`,
    {
      expected: `${known}`,
      found: `${found}`,
    },
  );
}

function nameOf<T extends string>(
  names: Readonly<Record<T, number>>,
  value: number,
  what: string,
): T {
  for (const name of Object.keys(names) as T[]) if (names[name] === value) return name;
  throw malformed(`has the unknown ${what} ${value}`);
}

function malformed(why: string): SealingError {
  return new SealingError('envelope-malformed', `Cannot read the envelope: it ${why}.`);
}

function sized(bytes: Uint8Array, size: number, what: string): Uint8Array {
  if (bytes instanceof Uint8Array && bytes.length === size) return bytes;
  throw new TypeError(`${what} must be ${size} bytes`);
}

function within<T extends number | bigint>(value: T, most: T, what: string): T {
  const whole = typeof value === 'bigint' || Number.isInteger(value);
  if (whole && value >= 0 && value <= most) return value;
  throw new RangeError(`${what} must be from 0 to ${most}`);
}
