import { describe, expect, it } from 'vitest';
import * as browser from './browser.ts';
import * as ear from './ear/index.ts';
import * as envelopes from './envelopes/index.ts';
import * as index from './index.ts';

const COMMON = [
  'APPRAISAL_CHECKS',
  'AttestationError',
  'VERIFY_CHECKS',
  'VerificationError',
  'VerifiedReport',
  'appraise',
  'formatTcb',
  'parseReport',
  'parseVek',
  'productOf',
  'unverifiedClaims',
  'verify',
];
const ENVELOPES = [
  'decodePem',
  'encodeCertificateTable',
  'encodePem',
  'evidenceFromAttestationRsJson',
  'evidenceFromAzureHcl',
  'evidenceFromAzureVtpmJson',
  'evidenceFromCertificateTable',
  'evidenceFromCocoJson',
  'evidenceFromDstack',
  'evidenceFromDstackJson',
  'evidenceFromExtendedReport',
  'evidenceFromGoSevGuestJson',
  'evidenceFromReportPem',
  'evidenceFromReportResponse',
  'evidenceFromTinfoilJson',
  'evidenceFromTsmReportJson',
  'parseCertificateTable',
];

const EAR = [
  'EAR_NONCE_SIZE',
  'EAR_PROFILES',
  'earSubmod',
  'refusedSubmod',
  'signEarCwt',
  'signEarJwt',
  'tierOf',
  'verifyEarCwt',
  'verifyEarJwt',
];

describe('the entries', () => {
  it.each<[string, object, readonly string[]]>([
    ['for Node', index, [...COMMON, ...ENVELOPES, 'verifyCrl', 'verifyVek']],
    ['for browsers', browser, COMMON],
    ['for envelopes', envelopes, ENVELOPES],
    ['for attestation results', ear, EAR],
  ])('exports exactly the documented names: %s', (_, entry, names) => {
    expect(Object.keys(entry).sort()).toEqual([...names].sort());
  });

  it('verifies synchronously on Node, and with a promise in browsers', async () => {
    const evidence = { report: new Uint8Array() };
    const options = { now: new Date('2026-01-01T00:00:00Z') };
    const refused = { code: 'report-length' };
    expect(() => index.verify(evidence, options)).toThrow(expect.objectContaining(refused));
    await expect(browser.verify(evidence, options)).rejects.toMatchObject(refused);
  });
});
