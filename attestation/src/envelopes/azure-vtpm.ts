/**
 * Evidence of Azure confidential VMs as Confidential Containers' az-snp-vtpm attester sends it,
 * JSON: the HCL blob, the VCEK, and a quote of the vTPM.
 *
 * @module
 */
import { evidenceFromAzureHcl, type HclEvidence } from './azure-hcl.ts';
import {
  jsonArray,
  jsonBase64,
  jsonHex,
  jsonMalformed,
  jsonObject,
  jsonUint,
  jsonValue,
  type Members,
} from './encodings/json.ts';
import { evidenceOf } from './evidence-of.ts';
import { jsonEntry } from './json-entry.ts';
import { jsonByteArray } from './virtee-report.ts';

const PCRS = 24;
const PCR_SIZE = 32;
const MAX_QUOTE = 4096;
const MAX_HCL = 0x1_0000;
/** TPM_GENERATED_VALUE, and TPM_ST_ATTEST_QUOTE. */
const QUOTE_MARK = [0xff, 0x54, 0x43, 0x47, 0x80, 0x18];

/** The vTPM's quote: not verified. */
export interface TpmQuote {
  /** TPMS_ATTEST. */
  readonly message: Uint8Array;
  /** By the attestation key that the runtime data names. */
  readonly signature: Uint8Array;
  /** SHA-256 bank, 24 registers of 32 bytes. */
  readonly pcrs: readonly Uint8Array[];
}

export interface AzureVtpmEvidence extends HclEvidence {
  readonly tpmQuote: TpmQuote;
}

/**
 * Evidence of az-snp-vtpm in its versions 0, 1 and 2, as text or parsed.
 *
 * Versions 1 and 2 are
 * `{"version", "tpm_quote": {"signature", "message", "pcrs"}, "hcl_report", "vcek"}` with base64url
 * and hexadecimal. Version 0 is `{"quote", "report", "vcek"}` with arrays of bytes, and PEM. The
 * HCL blob is read as {@link evidenceFromAzureHcl} does, and has to be bound to its runtime data as
 * is said there.
 *
 * **The quote is not verified**, only read: its signature is by a key that the runtime data names.
 * A nonce that only the quote has makes the report no fresher.
 *
 * @throws AttestationError `json-malformed` for anything else, unknown members, a member that
 *   occurs twice and more than 1 MiB included; `hcl-malformed`
 */
export function evidenceFromAzureVtpmJson(input: unknown): AzureVtpmEvidence {
  const value = jsonValue(input);
  const isOld = typeof value === 'object' && value !== null && Object.hasOwn(value, 'quote');
  return isOld ? version0(value) : versioned(value);
}

function versioned(value: unknown): AzureVtpmEvidence {
  const names = ['version', 'tpm_quote', 'hcl_report', 'vcek'];
  const members = jsonObject(value, 'the evidence', names);
  const version = jsonUint(members.get('version'), 'version', 4);
  if (version !== 1n && version !== 2n) throw jsonMalformed('version', '1 or 2');
  const quote = jsonObject(members.get('tpm_quote'), 'tpm_quote', QUOTE_NAMES);
  return evidence(
    jsonBase64(members.get('hcl_report'), 'hcl_report'),
    jsonBase64(members.get('vcek'), 'vcek'),
    quoteOf(quote, 'tpm_quote', jsonHex),
  );
}

function version0(value: unknown): AzureVtpmEvidence {
  const members = jsonObject(value, 'the evidence', ['quote', 'report', 'vcek']);
  const quote = jsonObject(members.get('quote'), 'quote', QUOTE_NAMES);
  const vcek = members.get('vcek');
  if (typeof vcek !== 'string') throw jsonMalformed('vcek', 'PEM');
  return evidence(
    jsonByteArray(members.get('report'), 'report', MAX_HCL),
    new TextEncoder().encode(vcek),
    quoteOf(quote, 'quote', jsonByteArray),
  );
}

function evidence(hcl: Uint8Array, vcek: Uint8Array, tpmQuote: TpmQuote): AzureVtpmEvidence {
  const [der] = jsonEntry('vcek', vcek, 'vcek');
  const { evidence, ...bound } = evidenceFromAzureHcl(hcl);
  return { evidence: evidenceOf(evidence.report, { vcek: der }), ...bound, tpmQuote };
}

const QUOTE_NAMES = ['signature', 'message', 'pcrs'];

type ReadBytes = (value: unknown, path: string, most: number) => Uint8Array;

function quoteOf(quote: Members, path: string, read: ReadBytes): TpmQuote {
  const message = read(quote.get('message'), `${path}.message`, MAX_QUOTE);
  if (QUOTE_MARK.some((byte, index) => message[index] !== byte)) {
    throw jsonMalformed(`${path}.message`, 'a quote of a TPM');
  }
  const pcrs = jsonArray(quote.get('pcrs'), `${path}.pcrs`, PCRS).map((pcr) =>
    read(pcr, `${path}.pcrs`, PCR_SIZE),
  );
  if (pcrs.length !== PCRS || pcrs.some(({ length }) => length !== PCR_SIZE)) {
    throw jsonMalformed(`${path}.pcrs`, `${PCRS} of ${PCR_SIZE} bytes`);
  }
  return { message, signature: read(quote.get('signature'), `${path}.signature`, MAX_QUOTE), pcrs };
}
