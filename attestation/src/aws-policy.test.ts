/**
 * The shipped example for EC2, against a report of an EC2 guest.
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import { parseAttestationPolicy } from '@a3s-box/policies/attestation-policy';
import { readPolicyDocument } from '@a3s-box/policies/document';
import { describe, expect, it } from 'vitest';
import { appraise } from './appraise/appraise.ts';
import { readVector } from './testing/read-vectors.ts';
import { verify } from './verify/verify.ts';

const EXAMPLE = Object(
  readPolicyDocument(
    readFileSync(new URL('../../policies/defaults/attestation-aws-example.yaml', import.meta.url)),
  ),
);

/** A report at VMPL 1, from a time for which there is no revocation list for Milan. */
const { evidence, options } = readVector('hardware/milan-vlek-v3');
const verified = verify(evidence, options);
const { measurement, reportData } = verified.claims;
const SEEN = { measurements: [measurement], vmpl: 1, crl: { required: false } };

function failures(change: object): readonly string[] {
  const policy = parseAttestationPolicy({ ...EXAMPLE, ...change });
  const { checks } = appraise(verified, policy, { reportData });
  return checks.filter(({ verdict }) => verdict === 'failed').map(({ code }) => code);
}

describe('the example policy for EC2', () => {
  it('accepts an EC2 guest once the policy names its measurement and its VMPL', () => {
    expect(verified.claims).toMatchObject({ chipMasked: true, endorsement: { kind: 'VLEK' } });
    expect(failures(SEEN)).toEqual([]);
  });

  it('rejects an EC2 guest while the policy lacks the values of the deployment', () => {
    expect(failures({})).toEqual(['vmpl', 'measurement', 'crl-required']);
  });

  it.each([
    ['chip-masked', { allowMaskedChip: false }],
    ['signing-key', { signingKeys: ['VCEK'] }],
    ['csp-id', { cspIds: ['CN=cc-eu-west-1.amazonaws.com'] }],
    ['provisional-firmware', { permitProvisionalFirmware: false }],
    ['host-data', { hostData: '01'.repeat(32) }],
    ['allowed-product', { products: ['Genoa'] }],
    ['chip-deny', { chipDeny: ['38'.repeat(64)] }],
    ['chip-allow', { chipAllow: ['38'.repeat(64)] }],
  ])('rejects an EC2 guest when one line of the example policy differs: %s', (code, change) => {
    expect(failures({ ...SEEN, ...change })).toEqual([code]);
  });
});
