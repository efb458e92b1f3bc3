import { describe, expect, it } from 'vitest';
import { sampleReport } from '../report/testing/sample.ts';
import { encodeCertificateTable } from './certificate-table.ts';
import { evidenceFromExtendedReport } from './extended-report.ts';
import { VCEK } from './testing/certificates.ts';

describe('evidenceFromExtendedReport', () => {
  it('reads an extended report as the report and the certificate table behind it', () => {
    const table = encodeCertificateTable({ vcek: VCEK });
    const bytes = Uint8Array.of(...sampleReport(), ...table);
    expect(evidenceFromExtendedReport(bytes)).toEqual({
      report: sampleReport(),
      vek: VCEK,
      authorities: [],
    });
  });

  it('reads an extended report without a certificate table', () => {
    expect(evidenceFromExtendedReport(sampleReport()).vek).toBeUndefined();
  });

  it('refuses an extended report that is shorter than a report', () => {
    expect(() => evidenceFromExtendedReport(sampleReport().subarray(1))).toThrow(
      expect.objectContaining({ code: 'report-length', found: '1183 bytes' }),
    );
  });

  it('refuses an extended report with a malformed certificate table', () => {
    const bytes = Uint8Array.of(...sampleReport(), 1);
    expect(() => evidenceFromExtendedReport(bytes)).toThrow(
      expect.objectContaining({ code: 'certificate-table-malformed' }),
    );
  });

  it('throws a TypeError for an extended report that is not bytes', () => {
    const read: (bytes: never) => unknown = evidenceFromExtendedReport;
    expect(() => read(null as never)).toThrow(TypeError);
  });
});
