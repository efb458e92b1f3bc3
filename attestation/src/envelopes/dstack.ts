/**
 * Attestations of dstack on SEV-SNP, as its guest agent and its verifier send them.
 *
 * @module
 */
import { sameBytes } from '../der/bytes.ts';
import { AttestationError } from '../errors.ts';
import type { Evidence } from '../evidence.ts';
import { ownedBytes } from '../owned-bytes.ts';
import { FIELDS, REPORT_SIZE } from '../report/layout.ts';
import { evidenceFromCertificateTable } from './certificate-table.ts';
import {
  jsonArray,
  jsonHex,
  jsonMalformed,
  jsonObject,
  jsonUint,
  jsonValue,
} from './encodings/json.ts';
import { decodeMsgpack } from './encodings/msgpack.ts';
import { ScaleReader } from './encodings/scale.ts';
import { entryContents } from './entry-contents.ts';
import { type EnvelopeCertificates, evidenceOf } from './evidence-of.ts';
import { unnamedCertificates } from './unnamed-certificates.ts';
import { jsonByteArray } from './virtee-report.ts';

const MAX_SIZE = 0x8_0000;
const MAX_CERTIFICATES = 16;
const MAX_CERTIFICATE_SIZE = 0x1_0000;
const MAX_EVENTS = 4096;
/** Of `AttestationQuote`, in the first version. */
const SEV_SNP = 3;
/** How PEM and DER begin, and nothing. */
const CERTIFICATES: readonly unknown[] = [0x2d, 0x30, undefined];

export interface DstackEvidence {
  readonly evidence: Evidence;
  /**
   * JSON of what the guest runs. HOST_DATA must be the SHA-256 of `dstack-mr-config-v3:`, a zero
   * byte and this text, otherwise it is unauthenticated.
   */
  readonly mrConfig: string;
}

/** What both versions have of a report. */
interface Attestation {
  readonly report: Uint8Array;
  readonly chain: readonly Uint8Array[];
  readonly mrConfig: string;
  readonly reportData: Uint8Array;
}

/**
 * Evidence of a versioned attestation: version 0 in SCALE, or version 1 in MessagePack.
 *
 * Its certificates are taken, be they one by one (DER or PEM) or the host's certificate table. Its
 * events and its configuration are not used: on SEV-SNP nothing measures them.
 *
 * @throws AttestationError `dstack-malformed` for anything else, the attestation of another
 *   processor, report data that is not the report's, two endorsement key certificates, anything
 *   behind it and more than 512 KiB; `certificate-table-malformed`
 * @throws TypeError for anything but a Uint8Array
 */
export function evidenceFromDstack(bytes: Uint8Array): DstackEvidence {
  const owned = ownedBytes(bytes, 'an attestation of dstack');
  if (owned.length > MAX_SIZE) throw malformed(`it has more than ${MAX_SIZE} bytes`);
  const { report, chain, mrConfig, reportData } = read(owned);
  if (report.length !== REPORT_SIZE) throw malformed('its report has the wrong length');
  const { offset, size } = FIELDS.REPORT_DATA;
  if (!sameBytes(reportData, report.subarray(offset, offset + size))) {
    throw malformed('its report data is not that of its report');
  }
  return { evidence: withChain(report, chain), mrConfig };
}

/**
 * The same of the JSON of `Attest`, `GetQuote` and the verifier's requests: `{"attestation": …}` in
 * hexadecimal, given as text or parsed. `quote` and `event_log`, which another processor fills,
 * have to be empty; `report_data` and `vm_config` are not used.
 *
 * @throws AttestationError `json-malformed` for anything else, unknown members, a member that
 *   occurs twice and more than 1 MiB included; as {@link evidenceFromDstack}
 */
export function evidenceFromDstackJson(input: unknown): DstackEvidence {
  const names = ['attestation', 'quote', 'event_log', 'report_data', 'vm_config'];
  const members = jsonObject(jsonValue(input), 'the attestation', names);
  for (const name of ['quote', 'event_log']) {
    if ((members.get(name) ?? '') !== '') throw jsonMalformed(name, 'empty, as it is on SEV-SNP');
  }
  return evidenceFromDstack(jsonHex(members.get('attestation'), 'attestation', MAX_SIZE));
}

function read(bytes: Uint8Array): Attestation {
  try {
    return bytes[0] === 0 ? version0(new ScaleReader(bytes)) : version1(decodeMsgpack(bytes));
  } catch (error) {
    throw malformed(String(Object(error).message), error);
  }
}

function version0(reader: ScaleReader): Attestation {
  const [version, platform] = [reader.variant(), reader.variant()];
  if (version !== 0 || platform !== SEV_SNP) throw new RangeError('it is not of SEV-SNP');
  const report = reader.vector();
  const certificates = bounded(reader.compact(), MAX_CERTIFICATES);
  const chain = Array.from({ length: certificates }, () => reader.vector());
  const mrConfig = reader.text();
  for (let left = bounded(reader.compact(), MAX_EVENTS); left > 0; left--) {
    // A name, and the guest's claim about it.
    reader.text();
    reader.vector();
  }
  const reportData = reader.take(FIELDS.REPORT_DATA.size);
  reader.text();
  reader.end();
  return { report, chain, mrConfig, reportData };
}

function bounded(count: number, most: number): number {
  if (count > most) throw new RangeError(`it has more than ${most} parts of a kind`);
  return count;
}

const STACKS: ReadonlyMap<unknown, readonly string[]> = new Map([
  ['dstack', ['report_data', 'runtime_events', 'config']],
  ['dstack-pod', ['report_data', 'runtime_events', 'config', 'report_data_payload']],
]);

function version1(document: unknown): Attestation {
  const whole = jsonObject(document, 'the attestation', ['version', 'platform', 'stack']);
  if (jsonUint(whole.get('version'), 'version', 8) !== 1n) throw jsonMalformed('version', '1');
  const platform = jsonObject(whole.get('platform'), 'platform', ['kind', 'data']);
  if (platform.get('kind') !== 'sev-snp') throw jsonMalformed('platform.kind', '"sev-snp"');
  const parts = ['report', 'cert_chain', 'mr_config'];
  const data = jsonObject(platform.get('data'), 'platform.data', parts);
  const stack = jsonObject(whole.get('stack'), 'stack', ['kind', 'data']);
  const names = STACKS.get(stack.get('kind'));
  if (names === undefined) throw jsonMalformed('stack.kind', '"dstack" or "dstack-pod"');
  const said = jsonObject(stack.get('data'), 'stack.data', names);
  jsonArray(said.get('runtime_events'), 'stack.data.runtime_events', MAX_EVENTS);
  const chain = jsonArray(data.get('cert_chain'), 'cert_chain', MAX_CERTIFICATES);
  return {
    report: byteString(data.get('report'), 'report', REPORT_SIZE),
    chain: chain.map((each) => byteString(each, 'cert_chain', MAX_CERTIFICATE_SIZE)),
    mrConfig: textOf(data.get('mr_config'), 'mr_config'),
    reportData: byteString(said.get('report_data'), 'report_data', FIELDS.REPORT_DATA.size),
  };
}

/** Bytes, or a list of them, which is what the encoder of Rust makes of a vector. */
function byteString(value: unknown, path: string, most: number): Uint8Array {
  return value instanceof Uint8Array ? value : jsonByteArray(value, path, most);
}

function textOf(value: unknown, path: string): string {
  if (typeof value !== 'string') throw jsonMalformed(path, 'text');
  return value;
}

function withChain(report: Uint8Array, chain: readonly Uint8Array[]): Evidence {
  const [first = new Uint8Array(), ...more] = chain;
  const isTable = more.length === 0 && !CERTIFICATES.includes(first[0]);
  return isTable
    ? evidenceFromCertificateTable(report, first)
    : evidenceOf(report, certificatesIn(chain));
}

function certificatesIn(chain: readonly Uint8Array[]): EnvelopeCertificates {
  const certificates = unnamedCertificates(chain.flatMap(certificatesOf));
  if (certificates === undefined) throw malformed('it has two endorsement key certificates');
  return certificates;
}

/** DER or PEM of one certificate, or PEM of a chain of two. */
function certificatesOf(bytes: Uint8Array): Uint8Array[] {
  let ders: Uint8Array[] | undefined;
  try {
    ders = entryContents('ask', bytes);
  } catch (error) {
    throw malformed('its chain has something that is no certificate', error);
  }
  if (ders === undefined) throw malformed('its chain has an entry of too many certificates');
  return ders;
}

function malformed(why: string, cause?: unknown): AttestationError {
  return new AttestationError('dstack-malformed', `Cannot read an attestation of dstack: ${why}`, {
    cause,
  });
}
