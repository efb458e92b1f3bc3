import { describe, expect, it } from 'vitest';
import { sampleReport } from '../report/testing/sample.ts';
import { encodeCertificateTable } from './certificate-table.ts';
import { evidenceFromExtendedReport } from './extended-report.ts';
import { VCEK } from './testing/certificates.ts';

describe('evidenceFromExtendedReport', () => {
  it('takes the report, and the table behind it', () => {
    const table = encodeCertificateTable({ vcek: VCEK });
    const bytes = Uint8Array.of(...sampleReport(), ...table);
    expect(evidenceFromExtendedReport(bytes)).toEqual({
      report: sampleReport(),
      vek: VCEK,
      authorities: [],
    });
  });

  it('takes a report with nothing behind it', () => {
    expect(evidenceFromExtendedReport(sampleReport()).vek).toBeUndefined();
  });

  it('refuses fewer bytes than a report has', () => {
    expect(() => evidenceFromExtendedReport(sampleReport().subarray(1))).toThrow(
      expect.objectContaining({ code: 'report-length', found: '1183 bytes' }),
    );
  });

  it('refuses a malformed table', () => {
    const bytes = Uint8Array.of(...sampleReport(), 1);
    expect(() => evidenceFromExtendedReport(bytes)).toThrow(
      expect.objectContaining({ code: 'certificate-table-malformed' }),
    );
  });

  it('takes anything but bytes for a mistake of the caller', () => {
    const read: (bytes: never) => unknown = evidenceFromExtendedReport;
    expect(() => read(null as never)).toThrow(TypeError);
  });
});
