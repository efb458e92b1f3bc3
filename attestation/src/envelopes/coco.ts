/**
 * Evidence of Confidential Containers (Trustee and guest-components), JSON.
 *
 * @module
 */
import type { Evidence } from '../evidence.ts';
import {
  jsonArray,
  jsonBase64,
  jsonMalformed,
  jsonObject,
  jsonValue,
  type Members,
} from './encodings/json.ts';
import type { EntryName } from './entry-contents.ts';
import { certificatesOf, type EnvelopeCertificates, evidenceOf } from './evidence-of.ts';
import { jsonEntry } from './json-entry.ts';
import { jsonByteArray, virteeReport } from './virtee-report.ts';

const MAX_CERTIFICATES = 16;
const MAX_CERTIFICATE_SIZE = 0x1_0000;

/** `CertType` of virtee/sev, and what evidence calls it; null is not used. */
const CERT_TYPES: ReadonlyMap<string, EntryName | null> = new Map([
  ['VCEK', 'vcek'],
  ['VLEK', 'vlek'],
  ['ASK', 'ask'],
  ['ARK', 'ark'],
  ['CRL', null],
  ['Empty', null],
] as const);

/** The second is what attestation-rs says on Google's machines. */
const PLATFORMS: readonly unknown[] = ['snp', 'gcp-snp'];

const CHAIN_NAMES = ['vcek', 'vlek', 'ask', 'ark'] as const;

/**
 * Evidence of the JSON that SNP attesters of Confidential Containers send, as text or parsed:
 * `{"attestation_report": …, "cert_chain": …}`, which may stand in
 * `{"platform": "snp", "evidence": …}`, or with `gcp-snp`.
 *
 * A report is base64 of its bytes, or an object of its fields as virtee/sev prints them, in any
 * of its releases; its bytes are then reassembled, and the signature over them shows whether that
 * succeeded. A chain is null, an array of `{"cert_type": …, "data": [bytes]}`, or an object of
 * base64 by `vcek`, `vlek`, `ask` and `ark`. Each is what a host has put into its certificate
 * table: DER or PEM, may be padded, and where an authority belongs a chain of two.
 *
 * @throws AttestationError `json-malformed` for anything else, unknown members, a member or a
 *   certificate that occurs twice and more than 1 MiB included
 */
export function evidenceFromCocoJson(input: unknown): Evidence {
  const evidence = jsonObject(unwrap(jsonValue(input)), 'the evidence', [
    'attestation_report',
    'cert_chain',
  ]);
  const report = evidence.get('attestation_report');
  return evidenceOf(
    typeof report === 'string' ? jsonBase64(report, 'attestation_report') : virteeReport(report),
    chainOf(evidence.get('cert_chain') ?? {}),
  );
}

function unwrap(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, 'platform')) {
    return value;
  }
  const wrapper = jsonObject(value, 'the envelope', ['platform', 'evidence']);
  if (!PLATFORMS.includes(wrapper.get('platform'))) {
    throw jsonMalformed('platform', PLATFORMS.map((name) => JSON.stringify(name)).join(' or '));
  }
  return wrapper.get('evidence');
}

function chainOf(value: unknown): EnvelopeCertificates {
  return Array.isArray(value) ? chainOfEntries(value) : chainOfMembers(value);
}

function chainOfMembers(value: unknown): EnvelopeCertificates {
  const members = jsonObject(value, 'cert_chain', CHAIN_NAMES);
  const found = new Map<EntryName, Uint8Array[]>();
  for (const name of CHAIN_NAMES) {
    const path = `cert_chain.${name}`;
    const text = members.get(name) ?? null;
    if (text !== null) found.set(name, jsonEntry(name, jsonBase64(text, path), path));
  }
  return certificatesOf(found);
}

function chainOfEntries(value: unknown): EnvelopeCertificates {
  const seen = new Set<string>();
  const found = new Map<EntryName, Uint8Array[]>();
  jsonArray(value, 'cert_chain', MAX_CERTIFICATES).forEach((element, index) => {
    const path = `cert_chain[${index}]`;
    const entry = jsonObject(element, path, ['cert_type', 'data']);
    const type = certType(entry, path);
    if (seen.has(type)) throw jsonMalformed(path, 'the only one of its type');
    seen.add(type);
    const data = jsonByteArray(entry.get('data'), `${path}.data`, MAX_CERTIFICATE_SIZE);
    const name = CERT_TYPES.get(type) ?? null;
    if (name !== null) found.set(name, jsonEntry(name, data, path));
  });
  return certificatesOf(found);
}

/** A type by its name, or `{"OTHER": GUID}` by the GUID. */
function certType(entry: Members, path: string): string {
  const type = entry.get('cert_type');
  if (typeof type === 'string' && CERT_TYPES.has(type)) return type;
  const other = jsonObject(type, `${path}.cert_type`, ['OTHER']).get('OTHER');
  if (typeof other !== 'string' || !/^[0-9a-f-]{36}$/.test(other)) {
    throw jsonMalformed(`${path}.cert_type.OTHER`, 'a GUID');
  }
  return other;
}
