import { describe, expect, it } from 'vitest';
import { parseCrl } from '../../certificates/crl.ts';
import { parseVek } from '../../certificates/vek.ts';
import { evidenceFromCertificateTable } from '../../envelopes/certificate-table.ts';
import { parseReport } from '../../report/parse.ts';
import { claimsOf } from '../../report/parsed-report.ts';
import { NOW, REPORT_DATA, testGuest, testProcessor, testState } from '../testing/guest.ts';
import { verifySimulated } from '../verifier/verify-simulated.ts';
import type { ReportVersion } from './firmware.ts';
import type { ReportRequest } from './make-report.ts';
import { SIMULATED_MODELS, type SimulatedModelName } from './models.ts';
import { SimulatedSecureProcessor } from './processor.ts';

const DAY = 86_400_000;
const ROOTS = testProcessor().roots();
const MODELS = Object.keys(SIMULATED_MODELS) as SimulatedModelName[];

const verified = (guest: ReturnType<typeof testGuest>, request: Partial<ReportRequest> = {}) =>
  verifySimulated(guest.report({ reportData: REPORT_DATA, ...request }).evidence, ROOTS, {
    now: NOW,
    crl: testProcessor().crl(),
  }).claims;

describe('a processor', () => {
  it.each(MODELS)('simulates a %s that its own roots verify', (model) => {
    const { product, tcbClass, tcb, cpuid } = SIMULATED_MODELS[model];
    for (const signingKey of ['VCEK', 'VLEK'] as const) {
      const claims = verified(testGuest({ model }), { signingKey });
      expect(claims).toMatchObject({ version: 5, product, tcbClass, cpuid, reportedTcb: tcb });
      expect(claims.endorsement.kind).toBe(signingKey);
      expect(claims.launchMitVector).toBe(0x3fn);
    }
  });

  it.each([2, 3, 4, 5] as ReportVersion[])('simulates reports of version %i', (reportVersion) => {
    const claims = verified(testGuest({ reportVersion }));
    expect(claims.version).toBe(reportVersion);
    expect(claims.cpuid === null).toBe(reportVersion === 2);
    expect(claims.currentMitVector === null).toBe(reportVersion < 5);
    expect(claims.platformInfo.aliasCheckComplete).toBe(reportVersion > 2);
  });

  it('simulates a Milan with reports of version 5 and the clock of the system by default', () => {
    const processor = new SimulatedSecureProcessor(testState());
    const before = Math.floor((Date.now() - DAY) / 1000) * 1000;
    const { productName, notBefore } = parseVek(processor.vcek());
    expect(productName).toBe('Milan-B0');
    expect(notBefore).toBeGreaterThanOrEqual(before);
    expect(notBefore).toBeLessThanOrEqual(Date.now() - DAY);
  });

  it('refuses a model, a report version and a misbehaviour that do not exist', () => {
    const make = (options: object) => () => testProcessor(options);
    expect(make({ model: 'Naples' })).toThrow(RangeError);
    expect(make({ model: 'toString' })).toThrow(RangeError);
    expect(make({ reportVersion: 6 })).toThrow(RangeError);
    expect(make({ model: 'Turin', reportVersion: 2 })).toThrow(RangeError);
    expect(make({ platformInfo: 1n << 64n })).toThrow(RangeError);
    expect(make({ platformInfo: -1n })).toThrow(RangeError);
    expect(make({ misbehave: ['kindness'] })).toThrow(TypeError);
    expect(make({ misbehave: ['toString'] })).toThrow(TypeError);
  });

  it('refuses to simulate a processor from a malformed state', () => {
    expect(() => new SimulatedSecureProcessor({})).toThrow(
      expect.objectContaining({ code: 'simulated-state' }),
    );
  });

  it('certifies another key for each TCB, and the same key for the same TCB', () => {
    const processor = testProcessor();
    const { tcb, oldTcb } = SIMULATED_MODELS.Milan;
    const point = (der: Uint8Array) => Buffer.from(parseVek(der).publicKey.point).toString('hex');
    expect(point(processor.vcek())).toBe(point(processor.vcek(tcb)));
    expect(processor.vcek()).not.toEqual(processor.vcek());
    const keys = [
      processor.vcek(),
      processor.vcek(oldTcb),
      processor.vlek(),
      processor.vlek(oldTcb),
    ];
    expect(new Set(keys.map(point)).size).toBe(4);
  });

  it('certifies a VCEK of its chip for seven years and a VLEK of no chip for one', () => {
    const years = ({ notBefore, notAfter }: { notBefore: number; notAfter: number }) =>
      (notAfter - notBefore) / (365 * DAY);
    const vcek = parseVek(testProcessor({ model: 'Turin' }).vcek());
    expect(vcek).toMatchObject({ kind: 'VCEK', productName: 'Turin', structVersion: 1 });
    expect(vcek.hwid).toBe(testState().chip.id.slice(0, 16));
    expect(years(vcek)).toBe(7);
    const vlek = parseVek(testProcessor().vlek());
    expect(vlek).toMatchObject({
      kind: 'VLEK',
      productName: 'Milan',
      cspId: 'CN=simulated.invalid',
    });
    expect(years(vlek)).toBe(1);
  });

  it('numbers simulated revocation lists by the day', () => {
    const at = (time: number) => parseCrl(testProcessor({ now: () => new Date(time) }).crl());
    const [today, tomorrow] = [at(NOW.getTime()), at(NOW.getTime() + DAY)];
    expect(tomorrow.number).toBe(today.number + 1n);
    expect(today.revoked.size).toBe(0);
    expect(today.nextUpdate).toBe(NOW.getTime() + 30 * DAY);
  });
});

describe('a report', () => {
  it('reports 1184 bytes with the given REPORT_DATA and no migration agent', () => {
    const { report } = testGuest().report({ reportData: REPORT_DATA });
    expect(report).toHaveLength(1184);
    const claims = claimsOf(parseReport(report));
    expect(claims.reportData).toBe('5a'.repeat(64));
    expect(claims.reportIdMa).toBe('ff'.repeat(32));
    expect(claims.vmpl).toBe(0);
  });

  it('reports a certificate table with the same certificates as the evidence', () => {
    for (const signingKey of ['VCEK', 'VLEK'] as const) {
      const response = testGuest().report({ reportData: REPORT_DATA, signingKey });
      const { report, certificateTable, evidence } = response;
      expect(evidence.report).toEqual(report);
      expect(evidenceFromCertificateTable(report, certificateTable)).toEqual(evidence);
    }
  });

  it('reports the requested VMPL', () => {
    expect(verified(testGuest(), { vmpl: 3, callerVmpl: 1 }).vmpl).toBe(3);
  });

  it('refuses a report request with REPORT_DATA of other than 64 bytes', () => {
    for (const size of [0, 63, 65, 128]) {
      expect(() => testGuest().report({ reportData: new Uint8Array(size) })).toThrow(
        expect.objectContaining({ code: 'simulated-request', found: `${size} bytes` }),
      );
    }
  });

  it('refuses a report request for a signing key that does not exist', () => {
    const signingKey = 'toString' as 'VCEK';
    expect(() => testGuest().report({ reportData: REPORT_DATA, signingKey })).toThrow(
      expect.objectContaining({ code: 'simulated-request', found: 'toString' }),
    );
  });

  it("refuses a report request for a VMPL that does not exist or exceeds the caller's privilege", () => {
    for (const request of [{ vmpl: 4 }, { vmpl: 0xffff_ffff }, { vmpl: 1, callerVmpl: 2 }]) {
      expect(() => testGuest().report({ reportData: REPORT_DATA, ...request })).toThrow(
        expect.objectContaining({ code: 'simulated-request' }),
      );
    }
  });
});
