import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EndorsementStore, Endorsements } from '@a3s-box/attestation/endorsements';
import { parseAttestationPolicy } from '@a3s-box/policies/attestation-policy';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NOW } from '../testing/fixtures.ts';
import { launchGuest, PROCESSOR } from '../testing/test-broker.ts';
import { decide, type Permissions } from './decide.ts';
import { appraiseEvidence, type EvidenceTrust, verifyEvidence } from './evidence.ts';

let directory: string;
let trust: EvidenceTrust;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'a3s-broker-evidence-'));
  const store = new EndorsementStore({ directory });
  trust = { endorsements: new Endorsements({ store }) };
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Evidence of a processor of AMD's, at a time when its certificate is valid. */
function hardware() {
  const path = new URL('../../../test/vectors/hardware/genoa-v5.json', import.meta.url);
  const { evidence, now } = JSON.parse(readFileSync(path, 'utf8'));
  const bytes = (base64: string) => Uint8Array.from(Buffer.from(base64, 'base64'));
  return {
    evidence: { report: bytes(evidence.report), vek: bytes(evidence.vek) },
    now: new Date(now),
  };
}

const REPORT_DATA = new Uint8Array(64).fill(3);
const simulated = () => launchGuest().report({ reportData: REPORT_DATA }).evidence;
const withRoots = () => ({ ...trust, simulated: { roots: PROCESSOR.roots() } });

describe('the evidence of guests', () => {
  it('verifies the evidence of hardware, and leaves a missing revocation list to the policy', async () => {
    const { evidence, now } = hardware();
    const verified = await verifyEvidence('snp', evidence, trust, now);
    const { measurement, hostData, reportData } = verified.report.claims;
    const accepts = (more: object) =>
      appraiseEvidence(
        verified,
        parseAttestationPolicy({ measurements: [measurement], hostData, ...more }),
        Buffer.from(reportData, 'hex'),
      );
    const codes = (more: object) =>
      accepts(more)
        .checks.filter(({ verdict }) => verdict === 'failed')
        .map(({ code }) => code);
    expect(codes({})).toContain('crl-required');
    expect(codes({ crl: { required: false } })).not.toContain('crl-required');
    expect(codes({})).not.toContain('measurement');
    expect(codes({ measurements: [] })).toContain('measurement');
  });

  it('refuses a changed report of hardware with the check that failed', async () => {
    const { evidence, now } = hardware();
    const report = Uint8Array.from(evidence.report);
    report[0x90] = (report[0x90] ?? 0) ^ 1;
    const changed = verifyEvidence('snp', { ...evidence, report }, trust, now);
    await expect(changed).rejects.toMatchObject({ code: 'report-signature' });
  });

  it('takes no evidence of one kind for that of the other', async () => {
    await expect(verifyEvidence('snp', simulated(), withRoots(), NOW)).rejects.toMatchObject({
      name: expect.stringContaining('Error'),
      code: expect.stringMatching(/./),
    });
    const { evidence, now } = hardware();
    await expect(verifyEvidence('a3s-simulated', evidence, withRoots(), now)).rejects.toMatchObject(
      { code: expect.stringMatching(/./) },
    );
  });

  it('refuses simulated evidence where the broker trusts no simulated processor', async () => {
    await expect(verifyEvidence('a3s-simulated', simulated(), trust, NOW)).rejects.toMatchObject({
      code: 'simulated-roots',
    });
  });
});

describe('a decision', () => {
  const attestation = parseAttestationPolicy({
    tee: 'simulated',
    measurements: [launchGuest().measurement],
    hostData: 'any-explicit',
    crl: { required: false },
  });
  const ACCEPTING = { allowSimulated: true, attestation };

  async function decided(changes: Partial<Permissions>, path?: string) {
    const evidence = await verifyEvidence('a3s-simulated', simulated(), withRoots(), NOW);
    const permissions: Permissions = {
      grants: new Map([['g', { path: 'a/*/c', policy: 'p' }]]),
      policy: () => ACCEPTING,
      isRevoked: () => false,
      ...changes,
    };
    return decide({ evidence, reportData: REPORT_DATA }, permissions, path);
  }

  it('releases what a grant covers whose policy accepts the evidence', async () => {
    expect(await decided({}, 'a/b/c')).toEqual({ released: true, grant: 'g', policy: 'p' });
    expect(await decided({})).toMatchObject({ released: true });
  });

  it.each<[string, Partial<Permissions>, string, string]>([
    ['no grant covers the path', {}, 'a/b/d', 'no grant'],
    ['there is no grant', { grants: new Map() }, 'a/b/c', 'no grant'],
    [
      'the policy does not exist',
      { policy: () => undefined },
      'a/b/c',
      'policy p: it does not exist',
    ],
    [
      'the grant is revoked',
      { isRevoked: (kind) => kind === 'grant' },
      'a/b/c',
      'grant g: revoked',
    ],
    [
      'the policy is revoked',
      { isRevoked: (kind) => kind === 'policy' },
      'a/b/c',
      'policy p: revoked',
    ],
    [
      'the policy does not allow simulations in both places',
      { policy: () => ({ ...ACCEPTING, allowSimulated: false }) },
      'a/b/c',
      'policy p: simulated',
    ],
    [
      'the policy names another measurement',
      {
        policy: () => ({ ...ACCEPTING, attestation: parseAttestationPolicy({ tee: 'simulated' }) }),
      },
      'a/b/c',
      'policy p: measurement',
    ],
  ])('releases nothing when %s', async (_, changes, path, check) => {
    expect(await decided(changes, path)).toEqual({ released: false, check });
  });

  it('goes on to another grant when the policy of the first does not accept', async () => {
    const strict = { allowSimulated: false, attestation: parseAttestationPolicy({}) };
    const grants = new Map([
      ['a', { path: '*/*/*', policy: 'strict' }],
      ['b', { path: 'a/b/c', policy: 'p' }],
    ]);
    const policy = (name: string) => (name === 'p' ? ACCEPTING : strict);
    expect(await decided({ grants, policy }, 'a/b/c')).toMatchObject({ grant: 'b' });
  });
});
