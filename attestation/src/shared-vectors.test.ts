/**
 * Evidence of real hardware in folders beside the repository. The README of each folder states the
 * expected result.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAttestationPolicy } from '@a3s-box/policies/attestation-policy';
import { describe, expect, it } from 'vitest';
import { appraise } from './appraise/appraise.ts';
import { evidenceFromCocoJson } from './envelopes/coco.ts';
import { evidenceFromDstack } from './envelopes/dstack.ts';
import { decodePem } from './envelopes/encodings/pem.ts';
import { codeOf } from './testing/code-of.ts';
import { HAS_SHARED_VECTORS, SHARED_VECTORS } from './testing/shared-vectors.ts';
import type { VerifiedReport } from './verify/verified-report.ts';
import { verify } from './verify/verify.ts';
import { verifyCrl } from './verify/verify-crl.ts';

const file = (path: string): Uint8Array =>
  Uint8Array.from(readFileSync(join(SHARED_VECTORS, path)));

function vekOf(folder: string): Uint8Array {
  const der = ['vcek.der', 'vlek.der'].find((name) =>
    existsSync(join(SHARED_VECTORS, folder, name)),
  );
  if (der !== undefined) return file(`${folder}/${der}`);
  const [vek] = decodePem(file(`${folder}/vcek.pem`), 'CERTIFICATE');
  if (vek === undefined) throw new Error(`no certificate in ${folder}`);
  return vek;
}

function authorityOf(path: string): Uint8Array[] {
  return decodePem(file(path), 'CERTIFICATE');
}

function verified(folder: string, now: string): VerifiedReport {
  const kind = existsSync(join(SHARED_VECTORS, folder, 'asvk.pem')) ? 'asvk' : 'ask';
  const authorities = [`${folder}/${kind}.pem`, `${folder}/ark.pem`].flatMap(authorityOf);
  const evidence = { report: file(`${folder}/report.bin`), vek: vekOf(folder), authorities };
  return verify(evidence, { now: new Date(now) });
}

/**
 * The codes of the checks that a policy fails. The policy expects the measurement and data of the
 * report.
 */
function objections(report: VerifiedReport, policy: object = {}): readonly string[] {
  const { measurement, hostData, reportData } = report.claims;
  const document = { measurements: [measurement], hostData, crl: { required: false }, ...policy };
  const { checks } = appraise(report, parseAttestationPolicy(document), { reportData });
  return checks.filter(({ verdict }) => verdict === 'failed').map(({ code }) => code);
}

describe.runIf(HAS_SHARED_VECTORS)('shared evidence', () => {
  const TIMES = {
    'genoa-2': '2025-10-01T00:00:00Z',
    'genoa-3': '2026-04-01T00:00:00Z',
    'milan-1': '2025-10-01T00:00:00Z',
    'milan-3': '2025-10-01T00:00:00Z',
    'milan-4': '2026-07-01T00:00:00Z',
    'milan-vlek-1': '2025-06-01T00:00:00Z',
    'turin-1': '2025-10-01T00:00:00Z',
  };

  it.each(Object.entries(TIMES))('verifies %s with the facts in its folder', (folder, now) => {
    const { claims } = verified(folder, now);
    const { report, ek_cert } = JSON.parse(
      readFileSync(join(SHARED_VECTORS, folder, 'expected.json'), 'utf8'),
    );
    expect({
      version: claims.version,
      guest_svn: claims.guestSvn,
      policy: `0x${claims.policy.raw.toString(16)}`,
      vmpl: claims.vmpl,
      platform_info: `0x${claims.platformInfo.raw.toString(16)}`,
      family_id: claims.familyId,
      image_id: claims.imageId,
      report_data: claims.reportData,
      measurement: claims.measurement,
      host_data: claims.hostData,
      id_key_digest: claims.idKeyDigest,
      author_key_digest: claims.authorKeyDigest,
      report_id: claims.reportId,
      report_id_ma: claims.reportIdMa,
      current_tcb: claims.currentTcb,
      reported_tcb: claims.reportedTcb,
      committed_tcb: claims.committedTcb,
      launch_tcb: claims.launchTcb,
      cpuid: claims.cpuid,
      chip_id: claims.chipId,
    }).toEqual(
      expect.objectContaining({
        ...Object.fromEntries(
          [
            'version',
            'guest_svn',
            'policy',
            'vmpl',
            'platform_info',
            'family_id',
            'image_id',
            'report_data',
            'measurement',
            'host_data',
            'id_key_digest',
            'author_key_digest',
            'report_id',
            'report_id_ma',
            'current_tcb',
            'reported_tcb',
            'committed_tcb',
            'launch_tcb',
            'cpuid',
            'chip_id',
          ].map((name) => [name, report[name]]),
        ),
      }),
    );
    expect(claims.endorsement).toMatchObject({
      productName: ek_cert.product_name,
      hwid: ek_cert.hwid,
      cspId: ek_cert.csp_id,
    });
  });

  it.each(['genoa-2', 'genoa-3'] as const)('accepts %s under a modern policy', (folder) => {
    expect(objections(verified(folder, TIMES[folder]))).toEqual([]);
  });

  it('knows layout, chip and platform bit 6 of turin-1, and rejects its TCB below the minimum', () => {
    const report = verified('turin-1', TIMES['turin-1']);
    expect(objections(report)).toEqual(['tcb-reported', 'tcb-launch', 'tcb-committed']);
    const minTcb = { turin: { fmc: 0, bl: 1, tee: 0, snp: 2, ucode: 71 } };
    expect(objections(report, { minTcb })).toEqual([]);
  });

  it('rejects the debugger, the TCB and the report version of milan-1', () => {
    const failed = objections(verified('milan-1', TIMES['milan-1']));
    expect(failed).toEqual(
      expect.arrayContaining(['debug', 'alias-check', 'tcb-reported', 'firmware-version']),
    );
    expect(failed).toContain('allowed-version');
  });

  it('rejects the provisional firmware of milan-3 unless the policy permits it', () => {
    const report = verified('milan-3', TIMES['milan-3']);
    expect(objections(report)).toContain('provisional-firmware');
    const permitted = objections(report, { permitProvisionalFirmware: true });
    expect(permitted).not.toContain('provisional-firmware');
  });

  it('refuses the forged certificates of milan-3', () => {
    const report = file('milan-3/report.bin');
    const now = new Date(TIMES['milan-3']);
    const codes = ['legacy', 'new'].map((name) =>
      codeOf(() => verify({ report, vek: file(`milan-3/vcek-invalid-${name}.der`) }, { now })),
    );
    expect(codes).toEqual(['vek-signature', 'vek-extensions']);
  });

  it('accepts milan-4 where the policy allows the TCB that its host reports', () => {
    const report = verified('milan-4', TIMES['milan-4']);
    expect(objections(report)).toEqual(['tcb-reported']);
    const minTcb = { milan: { bl: 4, tee: 0, snp: 23, ucode: 213 } };
    expect(objections(report, { minTcb })).toEqual([]);
  });

  it('rejects milan-vlek-1 for its VMPL and provider, and refuses it once its VLEK expired', () => {
    const failed = objections(verified('milan-vlek-1', TIMES['milan-vlek-1']));
    expect(failed).toEqual(expect.arrayContaining(['vmpl', 'signing-key', 'csp-id']));
    expect(codeOf(() => verified('milan-vlek-1', '2026-11-25T00:00:00Z'))).toBe('vek-validity');
  });

  it('accepts genoa-crl-1 until it expires, and reads the intermediate of Genoa that it revokes', () => {
    const crl = file('genoa-crl-1/crl.der');
    expect(verifyCrl(crl, 'Genoa', new Date('2025-10-01')).number).toBe(4n);
    expect(() => verifyCrl(crl, 'Genoa', new Date('2026-11-25'))).toThrow(
      expect.objectContaining({ code: 'crl-validity' }),
    );
    const evidence = { report: file('genoa-2/report.bin'), vek: vekOf('genoa-2') };
    const { claims } = verify(evidence, { now: new Date('2025-10-01'), crl });
    expect(claims.revocation?.number).toBe(4n);
  });

  it('verifies the second report of the chip of genoa-3 in an envelope of CoCo', () => {
    const evidence = evidenceFromCocoJson(
      readFileSync(join(SHARED_VECTORS, 'genoa-3/live-evidence-genoa.json'), 'utf8'),
    );
    const { claims } = verify(evidence, { now: new Date(TIMES['genoa-3']) });
    expect(Buffer.from(claims.reportData, 'hex').toString()).toMatch(/^genoa-test-fixture\0+$/);
  });

  it('reads the report of milan-4 from a dstack attestation, bound to its configuration', () => {
    const { evidence, mrConfig } = evidenceFromDstack(file('milan-4/sev_snp_attestation.bin'));
    expect(evidence.report).toEqual(file('milan-4/report.bin'));
    const { claims } = verified('milan-4', TIMES['milan-4']);
    const bound = createHash('sha256').update(`dstack-mr-config-v3:\0${mrConfig}`).digest('hex');
    expect(claims.hostData).toBe(bound);
  });
});
