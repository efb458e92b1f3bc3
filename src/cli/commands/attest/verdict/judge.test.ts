import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { loadLibrary } from '../load-library.ts';
import { judge } from './judge.ts';

const GENOA = join(import.meta.dirname, '../../../../../test/vectors/hardware/genoa-v5.json');

const bytes = (base64: string): Uint8Array => Uint8Array.from(Buffer.from(base64, 'base64'));

it('does not check runtime data of evidence that is not verified', async () => {
  const library = await loadLibrary();
  const { evidence, now } = JSON.parse(readFileSync(GENOA, 'utf8'));
  const { verdict } = judge(library, {
    evidence: { report: bytes(evidence.report) },
    options: { now: new Date(now) },
    policy: library.STRICT_POLICY,
    reportData: undefined,
    boundReportData: '00'.repeat(64),
    sources: { format: 'azure-hcl', vek: null, crl: null, reportData: null },
    simulatedRoots: undefined,
  });
  expect(verdict.code).toBe('vek-supplied');
  expect(verdict.checks.filter(({ stage }) => stage === 'policy')[0]).toEqual({
    stage: 'policy',
    code: 'runtime-data',
    verdict: 'skipped',
  });
});

it.each([
  ['fits', 'report-data', (hex: string) => hex],
  ['does not fit', 'runtime-data', (hex: string) => hex.replace(/^../, '00')],
] as const)('judges evidence whose runtime data %s: %s', async (_, code, change) => {
  const library = await loadLibrary();
  const { evidence, crl, now } = JSON.parse(readFileSync(GENOA, 'utf8'));
  const report = bytes(evidence.report);
  const { measurement, hostData, reportData } = library.unverifiedClaims(
    library.parseReport(report),
  );
  const { verdict } = judge(library, {
    evidence: { report, vek: bytes(evidence.vek) },
    options: { now: new Date(now), crl: bytes(crl), crlObtainedAt: new Date(now) },
    policy: library.parseAttestationPolicy({ measurements: [measurement], hostData }),
    reportData: undefined,
    boundReportData: change(reportData),
    sources: { format: 'azure-hcl', vek: null, crl: null, reportData: null },
    simulatedRoots: undefined,
  });
  // The report binds the runtime data, and still nothing proves that both are fresh.
  expect([verdict.accepted, verdict.code]).toEqual([false, code]);
});
