/**
 * SNP_GET_DERIVED_KEY (SEV-SNP ABI, MSG_KEY_REQ): keys for sealing, mixed from a root key and what
 * the guest is.
 *
 * Rules and fields are the firmware's. How they are mixed is our own, AMD's being unpublished; so
 * the keys are never those of hardware.
 *
 * @module
 */
import { hkdfSync } from 'node:crypto';
import type { ReportClaims } from '../../report/report-claims.ts';
import {
  decodeTcb,
  encodeTcb,
  formatTcb,
  TCB_SIZE,
  type Tcb,
  type TcbLayout,
  tcbAtLeast,
} from '../../report/tcb.ts';
import { permittedVmpl, refused, within } from './request.ts';

/** ROOT_KEY_SELECT: the chip's endorsement key, or the guest's own root key. */
export const ROOT_KEYS = { VCEK: 0, VMRK: 1 } as const;

/** GUEST_FIELD_SELECT: what is mixed in, by its bit. */
export const GUEST_FIELDS = {
  guestPolicy: 1n << 0n,
  imageId: 1n << 1n,
  familyId: 1n << 2n,
  measurement: 1n << 3n,
  guestSvn: 1n << 4n,
  tcbVersion: 1n << 5n,
  launchMitVector: 1n << 6n,
} as const;

const ALL_FIELDS = Object.values(GUEST_FIELDS).reduce((all, bit) => all | bit);
const U32 = 0xffff_ffff;
const U64 = 0xffff_ffff_ffff_ffffn;
const DOMAIN = 'a3s-box simulated derived key v1';

/** MSG_KEY_REQ. */
export interface DerivedKeyRequest {
  /** Of {@link ROOT_KEYS}. */
  readonly rootKeySelect: number;
  /** Bits of {@link GUEST_FIELDS}. */
  readonly guestFieldSelect: bigint;
  /** Mixed in always; at least the caller's. */
  readonly vmpl: number;
  /** At most that of the launch. */
  readonly guestSvn: number;
  /** The 8 bytes of TCB_VERSION, little-endian; at most the committed TCB. */
  readonly tcbVersion: bigint;
  /** Since message version 2; only bits of the launch. */
  readonly launchMitVector?: bigint;
  /** VMPL that asks; 0. */
  readonly callerVmpl?: number;
}

/** What the firmware knows of a guest and its chip. */
export interface KeySource {
  readonly claims: ReportClaims;
  readonly layout: TcbLayout;
  /** Secret of the chip. */
  readonly chipSecret: Uint8Array;
  /** The guest's VM root key, new at each launch. */
  readonly vmrk: Uint8Array;
}

/**
 * The key of a request, 32 bytes.
 *
 * @throws {AttestationError} `simulated-request` as the firmware would: an unknown root key or
 *   field, a VMPL below the caller's, an SVN above the launch's, a TCB above the committed one, a
 *   mitigation that the launch did not have.
 */
export function deriveKey(request: DerivedKeyRequest, source: KeySource): Uint8Array {
  const { claims, layout } = source;
  const fields = selectedFields(request);
  const vmpl = permittedVmpl(request.vmpl, request.callerVmpl ?? 0);
  const guestSvn = permittedSvn(request, claims);
  const tcb = encodeTcb(permittedTcb(request, claims, layout), layout);
  const mitigations = permittedMitigations(request, claims);
  const selected = (field: bigint, value: Uint8Array) =>
    (fields & field) === 0n ? new Uint8Array() : value;
  const info = concat([
    Buffer.from(DOMAIN),
    u64(BigInt(request.rootKeySelect)),
    u64(fields),
    u64(BigInt(vmpl)),
    selected(GUEST_FIELDS.guestPolicy, u64(claims.policy.raw)),
    selected(GUEST_FIELDS.imageId, hex(claims.imageId)),
    selected(GUEST_FIELDS.familyId, hex(claims.familyId)),
    selected(GUEST_FIELDS.measurement, hex(claims.measurement)),
    selected(GUEST_FIELDS.guestSvn, u64(BigInt(guestSvn))),
    selected(GUEST_FIELDS.tcbVersion, tcb),
    selected(GUEST_FIELDS.launchMitVector, u64(mitigations)),
  ]);
  return new Uint8Array(hkdfSync('sha256', rootKey(request, source, tcb), '', info, 32));
}

function selectedFields({ rootKeySelect, guestFieldSelect }: DerivedKeyRequest): bigint {
  if (!Object.values<number>(ROOT_KEYS).includes(rootKeySelect)) {
    throw refused('ROOT_KEY_SELECT names no root key', {
      expected: '0 (VCEK) or 1 (VMRK)',
      found: `${rootKeySelect}`,
    });
  }
  const fields = within('GUEST_FIELD_SELECT', guestFieldSelect, U64);
  if ((fields & ~ALL_FIELDS) !== 0n) {
    throw refused('GUEST_FIELD_SELECT sets unknown bits', {
      expected: `no bit but 0x${ALL_FIELDS.toString(16)}`,
      found: `0x${fields.toString(16)}`,
    });
  }
  return fields;
}

function permittedSvn({ guestSvn }: DerivedKeyRequest, claims: ReportClaims): number {
  return within('GUEST_SVN', within('GUEST_SVN', guestSvn, U32), claims.guestSvn);
}

/** Newer firmware gives the keys of older, so that what is sealed outlives an upgrade. */
function permittedTcb(
  { tcbVersion }: DerivedKeyRequest,
  { committedTcb }: ReportClaims,
  layout: TcbLayout,
): Tcb {
  const bytes = u64(within('TCB_VERSION', tcbVersion, U64));
  let tcb: Tcb;
  try {
    tcb = decodeTcb(bytes, layout);
  } catch (cause) {
    throw refused('TCB_VERSION sets reserved bytes', { cause });
  }
  if (!tcbAtLeast(committedTcb, tcb)) {
    throw refused('TCB_VERSION is above the committed TCB', {
      expected: `at most ${formatTcb(committedTcb)}`,
      found: formatTcb(tcb),
    });
  }
  return tcb;
}

function permittedMitigations(
  { launchMitVector, guestFieldSelect }: DerivedKeyRequest,
  claims: ReportClaims,
): bigint {
  const had = claims.launchMitVector ?? 0n;
  const selected = (guestFieldSelect & GUEST_FIELDS.launchMitVector) !== 0n;
  if (launchMitVector === undefined) {
    if (selected) throw refused('LAUNCH_MIT_VECTOR is selected and not given');
    return 0n;
  }
  if ((within('LAUNCH_MIT_VECTOR', launchMitVector, U64) & ~had) !== 0n) {
    throw refused('LAUNCH_MIT_VECTOR has mitigations that the launch did not', {
      expected: `bits of 0x${had.toString(16)}`,
      found: `0x${launchMitVector.toString(16)}`,
    });
  }
  return launchMitVector;
}

/**
 * The chip's key stands for a TCB, as its VCEK does: that of the request where the TCB is mixed in,
 * else the reported one, so that keys without it are lost with an upgrade.
 */
function rootKey(
  request: DerivedKeyRequest,
  source: KeySource,
  requestedTcb: Uint8Array,
): Uint8Array {
  if (request.rootKeySelect === ROOT_KEYS.VMRK) return source.vmrk;
  const { layout, claims, chipSecret } = source;
  const mixed = (request.guestFieldSelect & GUEST_FIELDS.tcbVersion) !== 0n;
  const tcb = mixed ? requestedTcb : encodeTcb(claims.reportedTcb, layout);
  const info = concat([Buffer.from(`${DOMAIN}: chip`), tcb]);
  return new Uint8Array(hkdfSync('sha256', chipSecret, '', info, 32));
}

function u64(value: bigint): Uint8Array {
  const bytes = new Uint8Array(TCB_SIZE);
  new DataView(bytes.buffer).setBigUint64(0, value, true);
  return bytes;
}

const hex = (text: string) => Buffer.from(text, 'hex');
const concat = (parts: readonly Uint8Array[]) => Buffer.concat(parts);
