import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EvidenceFiles } from '../../testing/evidence-files.ts';
import { type Transcript, transcript } from '../../testing/fake-context.ts';

let cwd: string;

beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'a3s-show-'));
});

afterEach(() => rmSync(cwd, { recursive: true }));

const show = (...args: readonly string[]): Promise<Transcript> =>
  transcript('/nonexistent', ['attest', 'show', ...args], { cwd });

const vector = (name: string): EvidenceFiles => new EvidenceFiles(cwd, 'hardware', name);

describe('attest show', () => {
  it('prints first and last that nothing in the report is verified', async () => {
    vector('genoa-v5');
    const done = await show('--report=report.bin', '--vek=vek.der');
    expect(done).toMatchObject({ status: 0, stderr: '' });
    const lines = done.stdout.trimEnd().split('\n');
    expect(lines[0]).toMatch(/^\*\*\* UNVERIFIED: anyone can write such a report/);
    expect(lines.at(-1)).toBe(lines[0]);
    expect(done.stdout).toMatch(/^ {2}processor +family 0x19, model 0x11, stepping 1$/m);
    expect(done.stdout).toMatch(/^ {2}policy +0x30000 \(smt\)$/m);
    expect(done.stdout).toMatch(/^ {2}launch mitigations +0x1$/m);
    expect(done.stdout).toMatch(/^ {2}reported tcb +bl 10, tee 0, snp 25, ucode 84$/m);
    expect(done.stdout).toMatch(/^ {2}issuer +.*CN=SEV-Genoa$/m);
  });

  it('shows a VLEK, a hidden chip, and fields that version 2 lacks', async () => {
    vector('milan-vlek-v3');
    const vlek = await show('--report=report.bin', '--vek=vek.der');
    expect(vlek.stdout).toMatch(/^ {2}provider +CN=cc-us-east-2\.amazonaws\.com$/m);
    expect(vlek.stdout).toMatch(/^ {2}current mitigations +not told$/m);
    vector('milan-debug-v2');
    const old = await show('--report=report.bin');
    expect(old.stdout).toMatch(/^ {2}processor +not told$/m);
    expect(old.stdout).toMatch(/^ {2}policy +0xb0000 \(smt, debug\)$/m);
    expect(old.stdout).toMatch(/^ {2}none +neither in the evidence nor given$/m);
  });

  it('marks the JSON document as unverified, and prints exact numbers', async () => {
    vector('turin-v5');
    const document = JSON.parse(
      (await show('--report=report.bin', '--vek=vek.der', '--json')).stdout,
    );
    expect(Object.keys(document)).toEqual(['verified', 'format', 'unverified']);
    expect(document).toMatchObject({
      verified: false,
      format: 'raw',
      unverified: {
        claims: { version: 5, platformInfo: { raw: '0x67' }, reportedTcb: { fmc: 0, ucode: 71 } },
        certificate: { kind: 'VCEK', productName: 'Turin', hwid: '3b42092f69c656d3', cspId: null },
      },
    });
    expect(JSON.parse((await show('--report=report.bin', '--json')).stdout)).toMatchObject({
      unverified: { certificate: null },
    });
  });

  it('shows the report although its certificate is malformed', async () => {
    vector('genoa-v5').write('vek.der', 'no certificate');
    const done = await show('--report=report.bin', '--vek=vek.der');
    expect(done.status).toBe(0);
    expect(done.stdout).toMatch(/^ {2}malformed +.*\(vek-encoding\)$/m);
  });

  it('exits with 2 for a file that is not a report', async () => {
    vector('genoa-v5').write('report.bin', Buffer.alloc(1184));
    const done = await show('--report=report.bin');
    expect(done).toMatchObject({ status: 2, stdout: '' });
    expect(done.stderr).toMatch(/^a3s-box: the report: .+ \(report-version\)\nexpected: /);
    expect(await show('--report=gone')).toMatchObject({ status: 2, stdout: '' });
    expect(await show()).toMatchObject({ status: 2, stdout: '' });
  });
});
