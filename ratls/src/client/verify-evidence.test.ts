import { encodeCertificateTable, parseCertificateTable } from '@a3s-box/attestation';
import { parseAttestationPolicy } from '@a3s-box/policies/attestation-policy';
import { describe, expect, it } from 'vitest';
import { guestSource, NOW, PROCESSOR } from '../testing/simulated-source.ts';
import type { TrustOptions } from './options.ts';
import { verifyEvidence } from './verify-evidence.ts';

const REPORT_DATA = new Uint8Array(64);

/**
 * The failed checks of evidence with its own revocation list, under a policy that limits its age.
 */
async function failed(trust: Partial<TrustOptions>): Promise<readonly string[]> {
  const { report, certificates = new Uint8Array() } = await guestSource().evidence(REPORT_DATA);
  const crl = PROCESSOR.crl();
  const { vcek, ask, ark } = parseCertificateTable(certificates);
  const policy = parseAttestationPolicy({
    tee: 'simulated',
    hostData: 'any-explicit',
    crl: { required: true, maxAgeDays: 1 },
  });
  const verified = await verifyEvidence(
    'evidence',
    { tee: 'simulated', report, certificates: encodeCertificateTable({ vcek, ask, ark, crl }) },
    { policy, now: () => NOW, ...trust },
  );
  const { checks } = verified.appraise(REPORT_DATA);
  return checks
    .filter(({ verdict, code }) => verdict === 'failed' && code.startsWith('crl'))
    .map(({ code }) => code);
}

describe('a revocation list', () => {
  it('takes no time of retrieval from the caller for the revocation list of the peer', async () => {
    expect(await failed({})).toEqual(['crl-age']);
    expect(await failed({ crlObtainedAt: NOW })).toEqual(['crl-age']);
  });

  it("takes the time of retrieval from the caller for the caller's own revocation list", async () => {
    expect(await failed({ crl: PROCESSOR.crl(), crlObtainedAt: NOW })).toEqual([]);
  });
});
