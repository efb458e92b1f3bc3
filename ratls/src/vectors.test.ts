import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { injectionMessage, verifyInjection } from './binding/injection.ts';
import { PURPOSES, ROLES, reportDataOf } from './binding/report-data.ts';
import { sealCallMessage } from './binding/seal-call.ts';
import { CborError } from './certificate/cbor.ts';
import { claimsReportData, decodeClaims, encodeClaims } from './certificate/claims.ts';
import { decodeEvidence, encodeEvidence } from './certificate/evidence-extension.ts';
import { openPeerCertificate, peerEvidence } from './certificate/peer-certificate.ts';
import { RatlsError } from './errors.ts';

const VECTORS = new URL('../../test/vectors/ratls/', import.meta.url);

const base64 = z.string().transform((text) => new Uint8Array(Buffer.from(text, 'base64')));
const hex = z.string().transform((text) => new Uint8Array(Buffer.from(text, 'hex')));

/**
 * The cases of a folder, parsed by its schema. `expected` is an error code where the case is
 * refused.
 */
function casesOf<Given extends z.ZodRawShape>(area: string, given: Given) {
  const schema = z.object({ name: z.string(), ...given });
  const directory = new URL(`${area}/`, VECTORS);
  return readdirSync(directory).map((file) =>
    schema.parse(JSON.parse(readFileSync(new URL(file, directory), 'utf8'))),
  );
}

describe('REPORT_DATA', () => {
  const input = z.object({
    purpose: z.enum(PURPOSES),
    role: z.enum(ROLES),
    spki: base64,
    nonce: base64,
    exporter: base64,
    instance: hex,
    specDigest: hex,
  });
  it.for(casesOf('report-data', { input, expected: hex }))(
    'computes the report data of the vector $name',
    (vector) => {
      expect(plain(reportDataOf(vector.input))).toEqual(vector.expected);
    },
  );
});

describe('seal calls', () => {
  const input = z.object({
    exporter: base64,
    agentKey: base64,
    instance: hex,
    specDigest: hex,
    operation: z.enum(['seal', 'unseal']),
    arguments: z.array(base64),
  });
  it.for(casesOf('seal-call', { input, message: base64 }))(
    'computes the message of the vector $name',
    ({ input: { agentKey, ...call }, message }) => {
      expect(plain(sealCallMessage({ ...call, spki: agentKey }))).toEqual(message);
    },
  );
});

describe('claims', () => {
  const good = z.object({ pubkeyHash: hex, instance: hex, specDigest: hex, reportData: hex });
  const expected = z.union([z.string(), good]);
  it.for(casesOf('claims', { claims: base64, expected }))(
    'decides the claims of the vector $name',
    (vector) => {
      const { claims } = vector;
      if (typeof vector.expected === 'string') {
        expect(() => decodeClaims(claims)).toThrow(CborError);
        return;
      }
      const { reportData, ...said } = vector.expected;
      const decoded = decodeClaims(claims);
      expect(decoded).toEqual(said);
      expect(claimsReportData(claims)).toEqual(reportData);
      expect(plain(encodeClaims(decoded))).toEqual(claims);
    },
  );
});

describe('evidence in an extension', () => {
  const good = z.object({ report: base64, certificates: base64, claims: base64 });
  const expected = z.union([z.string(), good]);
  it.for(casesOf('evidence', { extension: base64, expected }))(
    'decides the extension of the vector $name',
    (vector) => {
      const { extension } = vector;
      if (typeof vector.expected === 'string') {
        expect(() => decodeEvidence(extension)).toThrow(CborError);
        return;
      }
      const { report, certificates, claims } = vector.expected;
      expect(decodeEvidence(extension)).toEqual({ report, certificates, claims });
      expect(plain(encodeEvidence({ report, certificates, claims }))).toEqual(extension);
    },
  );
});

describe('certificates', () => {
  const good = z.object({
    tee: z.literal('simulated'),
    spki: base64,
    report: base64,
    certificates: base64,
    claims: base64,
  });
  const given = { certificate: base64, expected: z.union([z.string(), good]) };
  it.for(casesOf('certificates', given))(
    'decides the certificate of the vector $name',
    (vector) => {
      const read = () => peerEvidence(openPeerCertificate(vector.certificate), 'simulated');
      if (typeof vector.expected === 'string') {
        expect(read).toThrow(expect.objectContaining({ code: vector.expected }));
        expect(read).toThrow(RatlsError);
        return;
      }
      const { claims, ...rest } = read();
      expect({ ...rest, claims: plain(encodeClaims(claims)) }).toEqual(vector.expected);
    },
  );

  it('the vectors have no certificate whose evidence passes as hardware evidence', () => {
    const vectors = casesOf('certificates', given).filter(
      ({ expected }) => typeof expected !== 'string',
    );
    expect(vectors).not.toHaveLength(0);
    for (const { certificate } of vectors) {
      const opened = openPeerCertificate(certificate);
      expect(() => peerEvidence(opened, 'sev-snp')).toThrow(
        expect.objectContaining({ code: 'certificate-tee' }),
      );
    }
  });
});

describe('injections', () => {
  const given = {
    input: z.object({
      exporter: base64,
      agentKey: base64,
      instance: hex,
      specDigest: hex,
      secret: z.string(),
      value: base64,
    }),
    message: base64,
    key: base64,
    signature: base64,
    expected: z.union([z.string(), z.object({ keyDigest: z.string() })]),
  };
  it.for(casesOf('injection', given))(
    'decides the injection of the vector $name',
    ({ input, key, signature, ...vector }) => {
      const { agentKey: spki, secret: name, ...rest } = input;
      const verdict = verifyInjection({ ...rest, spki, name }, { key, signature });
      const { expected } = vector;
      if (typeof expected === 'string') {
        expect(verdict).toBe(expected);
        return;
      }
      expect(verdict).toBe('accepted');
      expect(plain(injectionMessage({ ...rest, spki, name }))).toEqual(vector.message);
      expect(createHash('sha256').update(key).digest('hex')).toBe(expected.keyDigest);
    },
  );
});

/** A Buffer as a plain Uint8Array, for comparison. */
function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}
