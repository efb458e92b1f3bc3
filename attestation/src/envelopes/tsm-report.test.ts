import { describe, expect, it } from 'vitest';
import { sampleReport } from '../report/testing/sample.ts';
import { codeOf } from '../testing/code-of.ts';
import { encodeCertificateTable } from './certificate-table.ts';
import { ARK, ASK, VCEK } from './testing/certificates.ts';
import { evidenceFromTsmReportJson } from './tsm-report.ts';

const url = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64url');
const TABLE = encodeCertificateTable({ vcek: VCEK, ask: ASK, ark: ARK });
const tsm = (change: object = {}) => ({
  provider: 'sev_guest',
  outblob: url(sampleReport()),
  auxblob: url(TABLE),
  ...change,
});

describe('evidenceFromTsmReportJson', () => {
  it("reads the report and the host's certificate table from a TSM report", () => {
    const expected = { report: sampleReport(), vek: VCEK, authorities: [ASK, ARK] };
    expect(evidenceFromTsmReportJson(tsm())).toEqual(expected);
    expect(evidenceFromTsmReportJson(JSON.stringify(tsm()))).toEqual(expected);
    expect(evidenceFromTsmReportJson(tsm({ provider: 'sev_guest\n' }))).toEqual(expected);
  });

  it('reads a TSM report without a certificate table', () => {
    for (const auxblob of [undefined, null, '']) {
      expect(evidenceFromTsmReportJson(tsm({ auxblob }))).toEqual({ report: sampleReport() });
    }
  });

  it.each<[string, unknown, string]>([
    ['another provider', tsm({ provider: 'tdx_guest' }), 'provider must be'],
    ['no provider', tsm({ provider: undefined }), 'provider must be'],
    ['a provider with blanks', tsm({ provider: ' sev_guest' }), 'provider must be'],
    ['no report', tsm({ outblob: undefined }), 'outblob'],
    ['base64 of the other alphabet', tsm({ outblob: 'ab+/' }), 'base64url'],
    ['padding', tsm({ outblob: 'YQ==' }), 'without padding'],
    ['a digit too many', tsm({ outblob: 'abcde' }), 'outblob must be base64'],
    ['a service', tsm({ service_provider: 'svsm' }), 'without "service_provider"'],
    ['a manifest', tsm({ manifestblob: '' }), 'without "manifestblob"'],
    ['a list', [tsm()], 'an object'],
    ['a name twice', `{"outblob": "", ${JSON.stringify(tsm()).slice(1)}`, 'second "outblob"'],
  ])('refuses a TSM report with %s', (_, input, message) => {
    expect(() => evidenceFromTsmReportJson(input)).toThrow(
      expect.objectContaining({
        code: 'json-malformed',
        message: expect.stringContaining(message),
      }),
    );
  });

  it('refuses a TSM report with a malformed certificate table', () => {
    const code = codeOf(() => evidenceFromTsmReportJson(tsm({ auxblob: 'AAAA' })));
    expect(code).toBe('certificate-table-malformed');
  });
});
