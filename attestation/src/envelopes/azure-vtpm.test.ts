import { describe, expect, it } from 'vitest';
import { codeOf } from '../testing/code-of.ts';
import { verify } from '../verify/verify.ts';
import { evidenceFromAttestationRsJson } from './attestation-rs.ts';
import { evidenceFromAzureVtpmJson } from './azure-vtpm.ts';
import { encodePem } from './encodings/pem.ts';
import { GENOA_VCEK, hclBlob, NOW, REPORT } from './testing/hardware.ts';

type Json = Record<string, unknown>;

const RUNTIME = new TextEncoder().encode('{"keys":[]}');
const HCL = hclBlob(RUNTIME);
const MESSAGE = Uint8Array.of(0xff, 0x54, 0x43, 0x47, 0x80, 0x18, 0, 34);
const SIGNATURE = new Uint8Array(256).fill(7);
const PCRS = Array.from({ length: 24 }, (_, index) => new Uint8Array(32).fill(index));

const url = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64url');
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

function quote(change: Json = {}): Json {
  return { signature: hex(SIGNATURE), message: hex(MESSAGE), pcrs: PCRS.map(hex), ...change };
}

function version(number: unknown, change: Json = {}): Json {
  return {
    version: number,
    tpm_quote: quote(),
    hcl_report: url(HCL),
    vcek: url(GENOA_VCEK),
    ...change,
  };
}

function oldQuote(change: Json = {}): Json {
  const pcrs = PCRS.map((pcr) => [...pcr]);
  return { signature: [...SIGNATURE], message: [...MESSAGE], pcrs, ...change };
}

function version0(change: Json = {}): Json {
  const vcek = encodePem('CERTIFICATE', GENOA_VCEK);
  return { quote: oldQuote(), report: [...HCL], vcek, ...change };
}

const EXPECTED = {
  evidence: { report: REPORT, vek: GENOA_VCEK, authorities: [] },
  runtimeData: RUNTIME,
  hashAlgorithm: 'sha256',
  tpmQuote: { message: MESSAGE, signature: SIGNATURE, pcrs: PCRS },
};

describe('evidenceFromAzureVtpmJson', () => {
  it.each([
    ['0', version0()],
    ['1', version(1)],
    ['2', version(2)],
  ])('reads report, VCEK and quote from Azure vTPM evidence of version %s', (_, document) => {
    expect(evidenceFromAzureVtpmJson(document)).toEqual(EXPECTED);
    expect(evidenceFromAzureVtpmJson(JSON.stringify(document))).toEqual(EXPECTED);
  });

  it('reads evidence from Azure vTPM evidence that verifies', () => {
    const { evidence } = evidenceFromAzureVtpmJson(version(2));
    expect(verify(evidence, { now: NOW }).claims.product).toBe('Genoa');
  });

  it.each<[string, unknown, string]>([
    ['an unknown version', version(3), 'version must be 1 or 2'],
    ['version 0 with a number', version(0), 'version must be 1 or 2'],
    ['no version', version(undefined), 'version'],
    ['an unknown member', version(2, { more: 1 }), 'without "more"'],
    ['no quote', version(2, { tpm_quote: null }), 'tpm_quote'],
    ['a quote with more', version(2, { tpm_quote: quote({ nonce: '' }) }), 'without "nonce"'],
    ['no VCEK', version(2, { vcek: undefined }), 'vcek'],
    ['a VCEK that is no certificate', version(2, { vcek: url(RUNTIME) }), 'vcek'],
    ['no blob', version(2, { hcl_report: null }), 'hcl_report'],
    [
      'a message that is no quote',
      version(1, { tpm_quote: quote({ message: 'ff54434780' }) }),
      'TPM',
    ],
    ['a message in capitals', version(1, { tpm_quote: quote({ message: 'FF' }) }), 'hexadecimal'],
    ['an empty message', version(1, { tpm_quote: quote({ message: '' }) }), 'hexadecimal'],
    ['half a byte', version(1, { tpm_quote: quote({ signature: 'abc' }) }), 'hexadecimal'],
    ['a malformed signature', version(1, { tpm_quote: quote({ signature: 7 }) }), 'hexadecimal'],
    [
      'a signature without an end',
      version(1, { tpm_quote: quote({ signature: '00'.repeat(4097) }) }),
      'at most 4096 bytes',
    ],
    [
      'a register too few',
      version(1, { tpm_quote: quote({ pcrs: PCRS.slice(1).map(hex) }) }),
      '24',
    ],
    [
      'a register too many',
      version(1, { tpm_quote: quote({ pcrs: [...PCRS, ...PCRS].map(hex) }) }),
      '24',
    ],
    [
      'a register of another size',
      version(1, { tpm_quote: quote({ pcrs: PCRS.map(() => '00') }) }),
      '24 of 32 bytes',
    ],
    ['an old one with a version', version0({ version: 0 }), 'without "version"'],
    ['an old VCEK as bytes', version0({ vcek: [...GENOA_VCEK] }), 'PEM'],
    ['an old blob as text', version0({ report: url(HCL) }), 'report'],
    ['an old message as text', version0({ quote: oldQuote({ message: hex(MESSAGE) }) }), 'quote'],
    ['an old quote that is empty', version0({ quote: null }), 'quote'],
    ['no object', [], 'an object'],
    ['nothing', null, 'an object'],
    ['text that is no JSON', '{', 'JSON'],
    ['a name twice', `{"version": 1, ${JSON.stringify(version(2)).slice(1)}`, 'second "version"'],
  ])('refuses Azure vTPM evidence with %s', (_, document, message) => {
    expect(() => evidenceFromAzureVtpmJson(document)).toThrow(
      expect.objectContaining({
        code: 'json-malformed',
        message: expect.stringContaining(message),
      }),
    );
  });

  it('refuses Azure vTPM evidence with a malformed HCL report', () => {
    const short = version(2, { hcl_report: url(HCL.subarray(1)) });
    expect(codeOf(() => evidenceFromAzureVtpmJson(short))).toBe('hcl-malformed');
    const longer = version0({ report: [...HCL, 1] });
    expect(codeOf(() => evidenceFromAzureVtpmJson(longer))).toBe('hcl-malformed');
  });
});

describe('evidenceFromAttestationRsJson', () => {
  const wrapped = (change: Json = {}) => ({ platform: 'az-snp', evidence: version(1), ...change });

  it('reads Azure vTPM evidence from its attestation-rs wrapper', () => {
    expect(evidenceFromAttestationRsJson(wrapped())).toEqual(EXPECTED);
    expect(evidenceFromAttestationRsJson(JSON.stringify(wrapped()))).toEqual(EXPECTED);
  });

  it.each<[string, unknown]>([
    ['another platform', wrapped({ platform: 'az-tdx' })],
    ['no platform', version(1)],
    ['evidence of a graphics card beside it', wrapped({ nvidia_gpu: {} })],
    ['no evidence', { platform: 'az-snp' }],
    ['two wrappers', wrapped({ evidence: wrapped() })],
    ['a name twice', '{"platform": "az-snp", "platform": "az-snp"}'],
  ])('refuses an attestation-rs wrapper with %s', (_, document) => {
    expect(codeOf(() => evidenceFromAttestationRsJson(document))).toBe('json-malformed');
  });
});
