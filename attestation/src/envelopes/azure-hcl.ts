/**
 * The attestation blob of an Azure confidential VM: what its vTPM holds at NV index 0x01400001.
 *
 * The host's compatibility layer (HCL) asks for the report, and binds runtime data to it.
 *
 * @module
 */
import { AttestationError } from '../errors.ts';
import type { Evidence } from '../evidence.ts';
import { ownedBytes } from '../owned-bytes.ts';
import { isZero } from '../report/field.ts';
import { REPORT_SIZE } from '../report/layout.ts';

/** Bytes of the header before the report. */
const HEADER_SIZE = 32;
/** `HCLA`, read as a little-endian number. */
const MAGIC = 0x414c_4348;
const HEADER_VERSIONS: readonly number[] = [1, 2];
const REQUEST_OFFSET = HEADER_SIZE + REPORT_SIZE;
/** Bytes of the request header behind the report. */
const REQUEST_SIZE = 20;
/** Since version 2 of the request, four bytes of capabilities may follow its header. */
const REQUEST_SIZES: readonly number[] = [REQUEST_SIZE, REQUEST_SIZE + 4];
const SNP_REPORT = 2;
const MAX_SIZE = 0x1_0000;

const HASH_ALGORITHMS: ReadonlyMap<number, HclHashAlgorithm> = new Map([
  [1, 'sha256'],
  [2, 'sha384'],
  [3, 'sha512'],
]);

/** Digests that REPORT_DATA may have of the runtime data. */
export type HclHashAlgorithm = 'sha256' | 'sha384' | 'sha512';

/** What an HCL blob holds. */
export interface HclEvidence {
  readonly evidence: Evidence;
  /** JSON of the vTPM's keys and the VM's configuration, as the report binds it. */
  readonly runtimeData: Uint8Array;
  readonly hashAlgorithm: HclHashAlgorithm;
}

function malformed(message: string, expected: string, found: number): AttestationError {
  return new AttestationError('hcl-malformed', `the HCL blob ${message}`, {
    expected,
    found: String(found),
  });
}

/**
 * Takes the report and the runtime data out of an HCL blob.
 *
 * Only the report is signed. The runtime data is bound to it by REPORT_DATA, which must be its
 * digest by `hashAlgorithm`, filled up to 64 bytes with zeros: compute that, and pass it as the
 * report data that the policy expects. Without that check the runtime data is unauthenticated.
 * There is no endorsement key in the blob.
 *
 * @throws AttestationError `hcl-malformed` for another magic number, version, report or hash type,
 *   for runtime data that is not within the blob, for anything but zeros behind it, and for more
 *   than 64 KiB
 * @throws TypeError for anything but a Uint8Array
 */
export function evidenceFromAzureHcl(bytes: Uint8Array): HclEvidence {
  const blob = ownedBytes(bytes, 'an HCL blob');
  const least = REQUEST_OFFSET + REQUEST_SIZE;
  if (blob.length < least || blob.length > MAX_SIZE) {
    throw malformed('has the wrong length', `${least} to ${MAX_SIZE} bytes`, blob.length);
  }
  const word = (offset: number) => new DataView(blob.buffer).getUint32(offset, true);
  checkHeader(word);
  return {
    evidence: { report: blob.slice(HEADER_SIZE, REQUEST_OFFSET) },
    runtimeData: readRuntimeData(blob, word),
    hashAlgorithm: readHashAlgorithm(word),
  };
}

type Word = (offset: number) => number;

function checkHeader(word: Word): void {
  if (word(0) !== MAGIC) throw malformed('does not start as one', String(MAGIC), word(0));
  if (!HEADER_VERSIONS.includes(word(4))) {
    throw malformed('has an unknown version', HEADER_VERSIONS.join(', '), word(4));
  }
  const reportType = word(REQUEST_OFFSET + 8);
  if (reportType !== SNP_REPORT) {
    throw malformed('holds no SEV-SNP report', String(SNP_REPORT), reportType);
  }
}

function readHashAlgorithm(word: Word): HclHashAlgorithm {
  const type = word(REQUEST_OFFSET + 12);
  const algorithm = HASH_ALGORITHMS.get(type);
  if (algorithm === undefined) throw malformed('has an unknown hash type', '1, 2 or 3', type);
  return algorithm;
}

function readRuntimeData(blob: Uint8Array, word: Word): Uint8Array {
  const size = word(REQUEST_OFFSET + 16);
  const start = REQUEST_OFFSET + requestSize(word, size);
  const end = start + size;
  if (end > blob.length) {
    throw malformed('ends before its runtime data', `${end} bytes`, blob.length);
  }
  if (!isZero(blob.subarray(end))) {
    throw malformed('has something behind its runtime data', 'zeros', blob.length - end);
  }
  return blob.slice(start, end);
}

/** Bytes before the runtime data; in version 2 they follow from the total size. */
function requestSize(word: Word, runtimeSize: number): number {
  const version = word(REQUEST_OFFSET + 4);
  if (version === 1) return REQUEST_SIZE;
  if (version !== 2) throw malformed('has an unknown request version', '1 or 2', version);
  const whole = word(REQUEST_OFFSET);
  const size = REQUEST_SIZES.find((known) => known + runtimeSize === whole);
  if (size === undefined) {
    const expected = REQUEST_SIZES.map((known) => known + runtimeSize).join(' or ');
    throw malformed('has a request whose size its runtime data does not fit', expected, whole);
  }
  return size;
}
