import { describe, expect, it } from 'vitest';
import { verify } from '../verify/verify.ts';
import { encodePem, REPORT_LABELS } from './encodings/pem.ts';
import { evidenceFromReportPem } from './report-pem.ts';
import { GENOA_ARK, GENOA_ASK, GENOA_VCEK, NOW, REPORT } from './testing/hardware.ts';

const pem = encodePem('SEV-SNP ATTESTATION REPORT', REPORT);
const certificates = (...ders: readonly Uint8Array[]) =>
  ders.map((der) => encodePem('CERTIFICATE', der)).join('');

describe('evidenceFromReportPem', () => {
  it.each(REPORT_LABELS)('reads a report from PEM with the label %s', (label) => {
    const text = encodePem(label, REPORT);
    const expected = { report: REPORT, vek: undefined, authorities: [] };
    expect(evidenceFromReportPem(text)).toEqual(expected);
    expect(evidenceFromReportPem(`\n${text}\n`)).toEqual(expected);
    expect(evidenceFromReportPem(new TextEncoder().encode(text))).toEqual(expected);
  });

  it('reads certificates behind the PEM of a report, in any order', () => {
    const text = `${pem}${certificates(GENOA_ARK, GENOA_VCEK, GENOA_ASK)}`;
    const evidence = evidenceFromReportPem(text);
    expect(evidence).toEqual({
      report: REPORT,
      vek: GENOA_VCEK,
      authorities: [GENOA_ARK, GENOA_ASK],
    });
    expect(verify(evidence, { now: NOW }).claims.product).toBe('Genoa');
  });

  it.each<[string, string]>([
    ['no PEM', 'text'],
    ['nothing', ''],
    ['certificates alone', certificates(GENOA_VCEK)],
    ['an unknown label', encodePem('CERTIFICATE', REPORT).replaceAll('CERT', 'X')],
    ['certificates before it', `${certificates(GENOA_VCEK)}${pem}`],
    ['another report behind it', `${pem}${pem}`],
    ['text behind it', `${pem}text`],
    ['no end', pem.slice(0, -60)],
    ['the end of another label', pem.replace('END SEV-SNP ', 'END ')],
    ['a byte too few', encodePem('SEV-SNP REPORT', REPORT.subarray(1))],
    ['two endorsement keys', `${pem}${certificates(GENOA_VCEK, GENOA_VCEK)}`],
    ['text before it', `text\n${pem}`],
  ])('refuses the PEM of a report with %s', (_, text) => {
    expect(() => evidenceFromReportPem(text)).toThrow(
      expect.objectContaining({ code: 'pem-malformed' }),
    );
  });

  it('throws a TypeError for the PEM of a report that is neither text nor bytes', () => {
    const read: (text: never) => unknown = evidenceFromReportPem;
    expect(() => read(null as never)).toThrow(TypeError);
  });
});
