import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { amdFile, EvidenceFiles, pem } from '../../testing/evidence-files.ts';
import type { FakeEnds, Transcript } from '../../testing/fake-context.ts';
import { acceptingGenoa, failed, verifyIn } from '../../testing/verify-in.ts';

let cwd: string;

beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'a3s-evidence-'));
});

afterEach(() => rmSync(cwd, { recursive: true }));

const verify = (args: readonly string[], ends: FakeEnds = {}): Promise<Transcript> =>
  verifyIn(cwd, args, ends);

const genoa = (): EvidenceFiles => new EvidenceFiles(cwd, 'hardware', 'genoa-v5');

describe('sources of evidence', () => {
  it('reads a report from standard input', async () => {
    const files = genoa();
    const stdin = new PassThrough();
    stdin.end(files.report);
    const flags = [...files.flags, acceptingGenoa(files), '--report=-'];
    expect(await verify(flags, { stdin })).toMatchObject({ status: 0 });
  });

  it('reads the certificate and the revocation list as PEM', async () => {
    const files = genoa();
    files.write('vek.der', pem([files.document.evidence.vek ?? '']));
    files.write('crl.der', pem([files.document.crl ?? ''], 'X509 CRL'));
    expect(await verify([...files.flags, acceptingGenoa(files)])).toMatchObject({ status: 0 });
  });

  it('reads PEM below the text that OpenSSL writes', async () => {
    const files = genoa();
    const above = 'Certificate:\n    Data:\n        Version: 3 (0x2)\n';
    files.write('vek.der', `${above}${pem([files.vek.toString('base64')])}`);
    const done = await verify([...files.flags, '--json']);
    expect(JSON.parse(done.stdout).claims).toBeDefined();
    files.write('vek.der', `${above}${pem([files.vek.toString('base64')])}below`);
    expect((await verify([...files.flags])).stderr).toContain('(pem-malformed)');
    files.write('vek.der', `${above}\0\n${pem([files.vek.toString('base64')])}`);
    expect((await verify([...files.flags])).stdout).toContain('Rejected (vek-encoding)');
  });

  it('reads only one file from standard input', async () => {
    const files = genoa();
    const stdin = new PassThrough();
    stdin.end(files.vek);
    const done = await verify([...files.flags, '--vek=-', '--json'], { stdin });
    expect(JSON.parse(done.stdout)).toMatchObject({ sources: { vek: '--vek' } });
    expect(JSON.parse(done.stdout).claims).toBeDefined();
    const twice = await verify([...files.flags, '--vek=-', '--crl=-'], {
      stdin: new PassThrough().end(),
    });
    expect(twice).toMatchObject({ status: 2, stdout: '' });
    expect(twice.stderr).toContain('--crl: standard input is read already');
  });

  it.each([
    ['report.bin', 'report-length', Buffer.from([5, 0, 0, 0, 0, 0]), 'Give the report itself'],
    ['report.bin', 'report-version', Buffer.alloc(1184, 'a'), 'Give the report itself'],
    ['vek.der', 'vek-encoding', Buffer.from('no certificate'), 'Give the certificate of the VCEK'],
    ['crl.der', 'crl-encoding', Buffer.from('no list'), 'Give the revocation list of AMD'],
  ])(
    'rejects a wrong file as %s with the code %s, and tells what belongs there',
    async (name, code, bytes, step) => {
      const files = genoa();
      files.write(name, bytes);
      const done = await verify(files.flags);
      expect(done.stdout).toMatch(new RegExp(`\nRejected \\(${code}\\): .+\n${step}`));
    },
  );

  it('refuses an authority as the endorsement key', async () => {
    const files = genoa();
    files.write('vek.der', amdFile('genoa_ask.pem'));
    const done = await verify(files.flags);
    expect(done.stdout).toMatch(/\nRejected \(vek-[a-z-]+\): .+\nGive the certificate of the VCEK/);
  });

  it('reads a PEM chain in any order', async () => {
    const files = genoa();
    const chain = [
      amdFile('genoa_ark.pem'),
      pem([files.document.evidence.vek ?? '']),
      amdFile('genoa_ask.pem'),
    ];
    files.write('chain.pem', chain.join('\n'));
    const flags = files.flags.filter((flag) => !flag.startsWith('--vek'));
    const done = await verify([...flags, acceptingGenoa(files), '--certs=chain.pem', '--json']);
    expect(done.status).toBe(0);
    expect(JSON.parse(done.stdout).sources.vek).toBe('--certs');
  });

  it('checks the authorities in a PEM chain given as --vek like those of --certs', async () => {
    const files = genoa();
    const vek = pem([files.document.evidence.vek ?? '']);
    const ask = amdFile('genoa_ask.pem').toString();
    files.write('vek.der', `${vek}${ask}${amdFile('genoa_ark.pem')}`);
    const done = await verify([...files.flags, acceptingGenoa(files), '--json']);
    expect(done.status).toBe(0);
    const { sources, checks } = JSON.parse(done.stdout);
    expect(sources.vek).toBe('--vek');
    expect(checks).toContainEqual(
      expect.objectContaining({ code: 'ca-pinned', verdict: 'passed' }),
    );
    files.write('vek.der', `${vek}${ask}${amdFile('milan_ark.pem')}`);
    expect(failed(await verify([...files.flags, '--json']))).toEqual(['ca-pinned']);
  });

  it('reads a PEM chain without an endorsement key as --vek next to --certs', async () => {
    const files = genoa();
    files.write('vek.der', `${amdFile('genoa_ask.pem')}${amdFile('genoa_ark.pem')}`);
    const done = await verify(files.flags);
    expect(done).toMatchObject({ status: 2, stdout: '' });
    expect(done.stderr).toContain('(pem-malformed)');
    expect(done.stderr).toContain('--certs');
  });

  it('refuses a chain whose root is not pinned', async () => {
    const files = genoa();
    files.write(
      'chain.pem',
      amdFile('genoa_ask.pem').toString() + amdFile('milan_ark.pem').toString(),
    );
    const done = await verify([...files.flags, '--certs=chain.pem', '--json']);
    expect(failed(done)).toEqual(['ca-pinned']);
  });

  it('refuses a chain with something that is not a certificate', async () => {
    const files = genoa();
    files.write('chain.pem', pem([Buffer.from('no certificate').toString('base64')]));
    const flags = files.flags.filter((flag) => !flag.startsWith('--vek'));
    expect(failed(await verify([...flags, '--certs=chain.pem', '--json']))).toEqual([
      'vek-encoding',
    ]);
  });

  it('reads a report with its certificate table', async () => {
    const files = genoa();
    files.write('report.bin', Buffer.concat([files.report, certificateTable(files.vek)]));
    const flags = files.flags.filter((flag) => !flag.startsWith('--vek'));
    const done = await verify([...flags, acceptingGenoa(files), '--json']);
    expect(done.status).toBe(0);
    expect(JSON.parse(done.stdout).sources).toMatchObject({
      format: 'extended',
      vek: 'the evidence',
    });
  });

  it('reads a certificate table next to the report', async () => {
    const files = genoa();
    files.write('auxblob', certificateTable(files.vek));
    const flags = files.flags.filter((flag) => !flag.startsWith('--vek'));
    expect((await verify([...flags, acceptingGenoa(files), '--certs=auxblob'])).status).toBe(0);
  });

  it.each([
    ['bare', (evidence: object) => evidence],
    ['wrapped', (evidence: object) => ({ platform: 'snp', evidence })],
  ])('reads JSON of Confidential Containers, %s', async (_, wrap) => {
    const files = genoa();
    const evidence = {
      attestation_report: files.report.toString('base64'),
      cert_chain: { vcek: files.vek.toString('base64') },
    };
    files.write('report.bin', JSON.stringify(wrap(evidence)));
    const flags = files.flags.filter((flag) => !flag.startsWith('--vek'));
    const done = await verify([...flags, acceptingGenoa(files), '--json']);
    expect(done.status).toBe(0);
    expect(JSON.parse(done.stdout).sources.format).toBe('coco');
  });

  it('reads JSON of go-sev-guest', async () => {
    const files = genoa();
    files.write('report.bin', JSON.stringify(goSevGuest(files)));
    const flags = files.flags.filter((flag) => !flag.startsWith('--vek'));
    const done = await verify([...flags, acceptingGenoa(files), '--json']);
    expect(done.status).toBe(0);
    expect(JSON.parse(done.stdout).sources.format).toBe('go-sev-guest');
  });

  it('binds an Azure report to its runtime data, which do not prove freshness', async () => {
    const files = genoa();
    files.write('report.bin', hclBlob(files.report, Buffer.from('{"keys":[]}')));
    const done = await verify([...files.flags, acceptingGenoa(files), '--json']);
    expect(failed(done)).toEqual(['runtime-data']);
    const { code, sources } = JSON.parse(done.stdout);
    expect([code, sources.format, sources.reportData]).toEqual(['runtime-data', 'azure-hcl', null]);
    const digest = createHash('sha256').update('{"keys":[]}').digest('hex').padEnd(128, '0');
    expect(done.stdout).toContain(digest);
    const said = files.report.subarray(0x50, 0x90).toString('hex');
    const other = await verify([...files.flags, acceptingGenoa(files), `--report-data=${said}`]);
    expect(other.status).toBe(1);
    expect(other.stdout).toContain('Rejected (runtime-data): ');
  });

  it('reads evidence in the named format, whatever it looks like', async () => {
    const files = genoa();
    const done = await verify([...files.flags, '--report-format=coco']);
    expect(done).toMatchObject({ status: 2, stdout: '' });
    expect(done.stderr).toContain('report.bin: the envelope must be JSON (json-malformed)');
  });

  it.each([
    ['one byte too many', 1185],
    ['fewer than a report', 793],
  ])('rejects a report of %s', async (_, size) => {
    const files = genoa();
    files.write('report.bin', Buffer.concat([files.report, Buffer.alloc(8)]).subarray(0, size));
    expect(failed(await verify([...files.flags, '--json']))).toEqual(['report-length']);
  });
});

describe('the cache', () => {
  it('reads the cache only for missing files, and reports a damaged cache', async () => {
    const files = genoa();
    const flags = files.flags.filter((flag) => !/^--(vek|crl)/.test(flag));
    const done = await verify([...flags, acceptingGenoa(files), '--json']);
    expect(failed(done)).toEqual(['vek-supplied']);
    const text = await verify([...flags, acceptingGenoa(files)]);
    expect(text.stdout).toContain('Endorsement key:  none\n');
    expect(text.stdout).toContain('a3s-box attest fetch-certs');
  });
});

function certificateTable(vcek: Buffer): Buffer {
  const header = Buffer.alloc(48);
  Buffer.from('63da758de6644564adc5f4b93be8accd', 'hex').copy(header);
  header.writeUInt32LE(48, 16);
  header.writeUInt32LE(vcek.length, 20);
  return Buffer.concat([header, vcek]);
}

/** As `protojson` prints it, by the offsets of the report. */
function goSevGuest({ report, vek }: EvidenceFiles): object {
  const bytes = (start: number, end: number): string =>
    report.subarray(start, end).toString('base64');
  const long = (start: number): string => String(report.readBigUInt64LE(start));
  return {
    report: {
      version: report.readUInt32LE(0),
      guestSvn: report.readUInt32LE(4),
      policy: long(8),
      familyId: bytes(0x10, 0x20),
      imageId: bytes(0x20, 0x30),
      vmpl: report.readUInt32LE(0x30),
      signatureAlgo: report.readUInt32LE(0x34),
      currentTcb: long(0x38),
      platformInfo: long(0x40),
      signerInfo: report.readUInt32LE(0x48),
      reportData: bytes(0x50, 0x90),
      measurement: bytes(0x90, 0xc0),
      hostData: bytes(0xc0, 0xe0),
      idKeyDigest: bytes(0xe0, 0x110),
      authorKeyDigest: bytes(0x110, 0x140),
      reportId: bytes(0x140, 0x160),
      reportIdMa: bytes(0x160, 0x180),
      reportedTcb: long(0x180),
      // Family 0x19, model 0x11, stepping 1.
      cpuid1eaxFms: 0x00a1_0f11,
      chipId: bytes(0x1a0, 0x1e0),
      committedTcb: long(0x1e0),
      currentBuild: report.readUInt8(0x1e8),
      currentMinor: report.readUInt8(0x1e9),
      currentMajor: report.readUInt8(0x1ea),
      committedBuild: report.readUInt8(0x1ec),
      committedMinor: report.readUInt8(0x1ed),
      committedMajor: report.readUInt8(0x1ee),
      launchTcb: long(0x1f0),
      launchMitVector: long(0x1f8),
      currentMitVector: long(0x200),
      signature: bytes(0x2a0, 0x4a0),
    },
    certificateChain: { vcekCert: vek.toString('base64') },
  };
}

/** What a vTPM of Azure holds: header, report, request, runtime data. */
function hclBlob(report: Buffer, runtimeData: Buffer): Buffer {
  const header = Buffer.alloc(32);
  header.write('HCLA');
  header.writeUInt32LE(1, 4);
  const request = Buffer.alloc(20);
  request.writeUInt32LE(request.length + runtimeData.length, 0);
  request.writeUInt32LE(1, 4);
  request.writeUInt32LE(2, 8);
  request.writeUInt32LE(1, 12);
  request.writeUInt32LE(runtimeData.length, 16);
  return Buffer.concat([header, report, request, runtimeData]);
}
