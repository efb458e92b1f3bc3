import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  amdFile,
  EvidenceFiles,
  pem,
  SIMULATED_ROOTS,
  vectorNames,
} from '../../fake/evidence-files.ts';
import { type FakeEnds, type Transcript, transcript } from '../../fake/fake-context.ts';

let cwd: string;

beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'a3s-attest-'));
});

afterEach(() => rmSync(cwd, { recursive: true }));

const verify = (args: readonly string[], ends: FakeEnds = {}): Promise<Transcript> =>
  transcript('/nonexistent', ['attest', 'verify', ...args], {
    cwd,
    home: join(cwd, 'home'),
    ...ends,
    onConnect() {
      throw new Error('verify needs no server');
    },
  });

const genoa = (): EvidenceFiles => new EvidenceFiles(cwd, 'hardware', 'genoa-v5');
const simulated = (): EvidenceFiles => new EvidenceFiles(cwd, 'appraisal', 'debug');
const SIMULATED = ['--allow-simulated', `--simulated-roots=${SIMULATED_ROOTS}`];

/** A policy that takes the Genoa guest; it is JSON, and so YAML. */
function acceptingGenoa(files: EvidenceFiles, changes: object = {}): string {
  const measurement = files.report.subarray(0x90, 0xc0).toString('hex');
  const policy = {
    measurements: [measurement],
    hostData: 'any-explicit',
    reportData: 'any-explicit',
    ...changes,
  };
  files.write('accepting.yaml', JSON.stringify(policy));
  return '--policy=accepting.yaml';
}

interface Check {
  stage: string;
  code: string;
  verdict: string;
}

const failed = (done: Transcript): readonly string[] =>
  JSON.parse(done.stdout)
    .checks.filter((check: Check) => check.verdict === 'failed')
    .map((check: Check) => check.code);

describe('evidence of hardware', () => {
  it.each(vectorNames('hardware'))('%s is decided as verification decides', async (name) => {
    const files = new EvidenceFiles(cwd, 'hardware', name);
    const { verify: expected } = files.document.expected;
    const done = await verify([...files.flags, '--json']);
    expect(done.status).toBe(1);
    expect(done.stderr).toBe('');
    const { accepted, checks, claims } = JSON.parse(done.stdout);
    expect(accepted).toBe(false);
    const failures = checks.filter(({ stage, verdict }: Check) => {
      return stage === 'verify' && verdict === 'failed';
    });
    expect(failures.map(({ code }: Check) => code)).toEqual(
      expected === 'accepted' ? [] : [expected],
    );
    expect(claims !== undefined).toBe(expected === 'accepted');
  });

  it('is accepted under a policy that names its measurement', async () => {
    const files = genoa();
    const done = await verify([
      ...files.flags,
      acceptingGenoa(files, { crl: { maxAgeDays: null } }),
    ]);
    expect(done).toMatchObject({ status: 0, stderr: '' });
    expect(done.stdout).toContain('  ✓ report-signature ');
    expect(done.stdout).toContain('  ✓ measurement ');
    expect(done.stdout).toContain('Revocation list:  from --crl\n');
    expect(done.stdout).toMatch(
      /\nAccepted: it is verified, and all that the policy asks for holds.\n$/,
    );
  });

  it('is rejected under the strict policy, which is that of whoever gives none', async () => {
    const done = await verify([...genoa().flags, '--json']);
    expect(done.status).toBe(1);
    expect(failed(done)).toEqual(['measurement', 'host-data', 'report-data']);
    const text = await verify(genoa().flags);
    expect(text.stdout).toContain(
      '\nRejected (measurement and 2 more): it does not hold that the launch digest is an allowed one.\nList the digest',
    );
  });

  it('gives programs one stable document', async () => {
    const files = genoa();
    const done = await verify([...files.flags, acceptingGenoa(files), '--json']);
    const document = JSON.parse(done.stdout);
    expect(Object.keys(document)).toEqual(['accepted', 'code', 'checks', 'claims', 'sources']);
    expect(document).toMatchObject({
      accepted: true,
      code: 'accepted',
      claims: { version: 5, product: 'Genoa', policy: { raw: '0x30000' }, launchMitVector: '0x1' },
      sources: { format: 'raw', vek: '--vek', crl: '--crl', reportData: null },
    });
    expect(document.claims.revocation.number).toBe('0x4');
    expect(document.checks[0]).toEqual({
      stage: 'verify',
      code: 'report-length',
      verdict: 'passed',
    });
    expect(document.checks.at(-1)).toMatchObject({ stage: 'policy', code: 'crl-number' });
  });

  it('shows of what fails what was expected and found, and what to do', async () => {
    const files = genoa();
    files.write('vek.der', new EvidenceFiles(cwd, 'hardware', 'siena-v5').vek);
    files.write('report.bin', files.report);
    const flags = files.flags.filter((flag) => !/^--(crl|at)/.test(flag));
    const done = await verify([...flags, '--at=2026-04-01T00:00:00Z']);
    expect(done.status).toBe(1);
    expect(done.stdout).toMatch(
      /✗ vek-tcb .*\n +expected: bl 10.*\n +actual: {3}bl 10.*\n {2}- vek-chip/,
    );
    expect(done.stdout).toMatch(
      /\nRejected \(vek-tcb\): Cannot verify the report with this certificate: .+\nHand over/,
    );
  });

  it('fits a terminal, and says of a policy that was not looked at only that', async () => {
    const files = genoa();
    const rejected = await verify([...files.flags]);
    for (const line of rejected.stdout.split('\n\nRejected')[0]?.split('\n') ?? []) {
      expect(line.length <= 80 || /[0-9a-f]{96}/.test(line)).toBe(true);
    }
    const unverified = await verify([...files.flags, '--at=2099-01-01T00:00:00Z']);
    expect(unverified.stdout).toContain(
      '\n\nPolicy\n  - not looked at: the evidence is not verified\n\nEvidence: ',
    );
    const json = await verify([...files.flags, '--at=2099-01-01T00:00:00Z', '--json']);
    const skipped = JSON.parse(json.stdout).checks.filter(({ stage }: Check) => stage === 'policy');
    expect(skipped.length).toBeGreaterThan(40);
  });

  it('has no claims before all of it is verified', async () => {
    const files = genoa();
    const forged = Buffer.from(files.report);
    forged.writeUInt8(forged.readUInt8(0x90) ^ 1, 0x90);
    files.write('report.bin', forged);
    const done = await verify([...files.flags, acceptingGenoa(files), '--json']);
    expect(done.status).toBe(1);
    expect(JSON.parse(done.stdout)).toMatchObject({ accepted: false, code: 'report-signature' });
    expect(JSON.parse(done.stdout)).not.toHaveProperty('claims');
    expect(failed(done)).toEqual(['report-signature']);
  });

  it('is judged by the time that --at says', async () => {
    const files = genoa();
    const at = (time: string): Promise<Transcript> =>
      verify([...files.flags, acceptingGenoa(files), `--at=${time}`, '--json']);
    expect(failed(await at('2040-01-01T00:00:00Z'))).toEqual(['vek-validity']);
    expect(failed(await at('2025-11-03T02:00:00.5+00:00'))).toEqual(['crl-validity']);
    expect((await at('2025-11-03T02:00:00+01:00')).status).toBe(0);
  });
});

describe('where the evidence comes from', () => {
  it('standard input', async () => {
    const files = genoa();
    const stdin = new PassThrough();
    stdin.end(files.report);
    const flags = [...files.flags, acceptingGenoa(files), '--report=-'];
    expect(await verify(flags, { stdin })).toMatchObject({ status: 0 });
  });

  it('PEM of certificate and list', async () => {
    const files = genoa();
    files.write('vek.der', pem([files.document.evidence.vek ?? '']));
    files.write('crl.der', pem([files.document.crl ?? ''], 'X509 CRL'));
    expect(await verify([...files.flags, acceptingGenoa(files)])).toMatchObject({ status: 0 });
  });

  it('PEM below what OpenSSL writes of it', async () => {
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

  it('one file alone on standard input', async () => {
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
  ])('a wrong file as %s, where %s says which is right', async (name, code, bytes, step) => {
    const files = genoa();
    files.write(name, bytes);
    const done = await verify(files.flags);
    expect(done.stdout).toMatch(new RegExp(`\nRejected \\(${code}\\): .+\n${step}`));
  });

  it('an authority as the endorsement key, where the certificate of it is asked for', async () => {
    const files = genoa();
    files.write('vek.der', amdFile('genoa_ask.pem'));
    const done = await verify(files.flags);
    expect(done.stdout).toMatch(/\nRejected \(vek-[a-z-]+\): .+\nGive the certificate of the VCEK/);
  });

  it('a PEM chain in any order', async () => {
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

  it('a chain whose root is not pinned is refused', async () => {
    const files = genoa();
    files.write(
      'chain.pem',
      amdFile('genoa_ask.pem').toString() + amdFile('milan_ark.pem').toString(),
    );
    const done = await verify([...files.flags, '--certs=chain.pem', '--json']);
    expect(failed(done)).toEqual(['ca-pinned']);
  });

  it('a chain with something that is no certificate is refused', async () => {
    const files = genoa();
    files.write('chain.pem', pem([Buffer.from('no certificate').toString('base64')]));
    const flags = files.flags.filter((flag) => !flag.startsWith('--vek'));
    expect(failed(await verify([...flags, '--certs=chain.pem', '--json']))).toEqual([
      'vek-encoding',
    ]);
  });

  it('a report with its certificate table', async () => {
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

  it('a certificate table beside the report', async () => {
    const files = genoa();
    files.write('auxblob', certificateTable(files.vek));
    const flags = files.flags.filter((flag) => !flag.startsWith('--vek'));
    expect((await verify([...flags, acceptingGenoa(files), '--certs=auxblob'])).status).toBe(0);
  });

  it.each([
    ['bare', (evidence: object) => evidence],
    ['wrapped', (evidence: object) => ({ platform: 'snp', evidence })],
  ])('JSON of Confidential Containers, %s', async (_, wrap) => {
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

  it('JSON of go-sev-guest', async () => {
    const files = genoa();
    files.write('report.bin', JSON.stringify(goSevGuest(files)));
    const flags = files.flags.filter((flag) => !flag.startsWith('--vek'));
    const done = await verify([...flags, acceptingGenoa(files), '--json']);
    expect(done.status).toBe(0);
    expect(JSON.parse(done.stdout).sources.format).toBe('go-sev-guest');
  });

  it('an Azure report, which is bound to its runtime data and not made fresh by them', async () => {
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

  it('the format that is named, whatever it looks like', async () => {
    const files = genoa();
    const done = await verify([...files.flags, '--report-format=coco']);
    expect(done).toMatchObject({ status: 2, stdout: '' });
    expect(done.stderr).toContain('report.bin: the envelope must be JSON (json-malformed)');
  });

  it.each([
    ['one byte too many', 1185],
    ['fewer than a report', 793],
  ])('a report of %s is rejected', async (_, size) => {
    const files = genoa();
    files.write('report.bin', Buffer.concat([files.report, Buffer.alloc(8)]).subarray(0, size));
    expect(failed(await verify([...files.flags, '--json']))).toEqual(['report-length']);
  });
});

describe('the cache', () => {
  it('is looked at only for what is not given, and says so when it is damaged', async () => {
    const files = genoa();
    const flags = files.flags.filter((flag) => !/^--(vek|crl)/.test(flag));
    const done = await verify([...flags, acceptingGenoa(files), '--json']);
    expect(failed(done)).toEqual(['vek-supplied']);
    const text = await verify([...flags, acceptingGenoa(files)]);
    expect(text.stdout).toContain('Endorsement key:  none\n');
    expect(text.stdout).toContain('a3s-box attest fetch-certs');
  });
});

describe('simulated evidence', () => {
  // The command line has no flag for when a list was obtained: one that is given was, at that time.
  const names = vectorNames('appraisal').filter((name) => !name.startsWith('crl-age'));

  it.each(names)('%s is decided as its vector says', async (name) => {
    const files = new EvidenceFiles(cwd, 'appraisal', name);
    const { crl, crlObtainedAt, now, expected } = files.document;
    const { appraise } = expected;
    expect(crlObtainedAt).toBe(crl && now);
    const done = await verify([...files.flags, ...SIMULATED, '--json']);
    expect(done.status).toBe(appraise === 'accepted' ? 0 : 1);
    expect(failed(done)).toEqual(appraise === 'accepted' ? [] : appraise);
    expect(JSON.parse(done.stdout)).toMatchObject({ simulated: true, claims: {} });
    expect(done.stderr).toContain('SIMULATED EVIDENCE');
  });

  it('is announced to people on top of everything', async () => {
    const done = await verify([...simulated().flags, ...SIMULATED]);
    expect(done.stdout).toMatch(/^\*\*\* SIMULATED EVIDENCE: no hardware vouches/);
  });

  it('is rejected by everyone who does not ask for it', async () => {
    const done = await verify([...simulated().flags, '--json']);
    expect(done.status).toBe(1);
    expect(failed(done)).toEqual(['vek-subject']);
    expect(JSON.parse(done.stdout)).not.toHaveProperty('simulated');
  });

  it('does not make evidence of hardware pass', async () => {
    const done = await verify([...genoa().flags, ...SIMULATED, '--json']);
    expect(failed(done)).toEqual(['vek-subject']);
  });

  it('is rejected by a policy for hardware', async () => {
    const files = simulated();
    const policy = { ...files.document.policy, tee: 'sev-snp', crl: { required: false } };
    files.write('policy.json', JSON.stringify(policy));
    expect(failed(await verify([...files.flags, ...SIMULATED, '--json']))).toContain('tee');
  });

  it.each([['--allow-simulated'], [`--simulated-roots=${SIMULATED_ROOTS}`]])(
    'needs both flags, not %s alone',
    async (flag) => {
      const done = await verify([...simulated().flags, flag]);
      expect(done.status).toBe(2);
      expect(done.stderr).toContain('only work together');
    },
  );

  it('takes no roots of AMD', async () => {
    const files = simulated();
    const chain = ['ark', 'ask', 'asvk'].map((name) => amdFile(`genoa_${name}.pem`).toString());
    files.write('amd.pem', chain.join(''));
    const done = await verify([...files.flags, '--allow-simulated', '--simulated-roots=amd.pem']);
    expect(done.status).toBe(2);
    expect(done.stderr).toContain('(simulated-roots)');
  });
});

describe('flags that would be believed', () => {
  it.each([
    [['verify', '--nonce=1234'], 'unknown flag: --nonce'],
    [['verify', '--raw'], 'unknown flag: --raw'],
    [['show', '--nonce=1234'], 'unknown flag: --nonce'],
    [['show', '--raw'], 'unknown flag: --raw'],
  ])('%j are not taken in silence', async (args, message) => {
    genoa();
    const done = await transcript('/nonexistent', ['attest', ...args, '--report=report.bin'], {
      cwd,
    });
    expect(done).toMatchObject({ status: 2, stdout: '' });
    expect(done.stderr).toContain(message);
  });
});

describe('what cannot be decided on', () => {
  const MISTAKES: readonly (readonly [string, readonly string[], string])[] = [
    ['no report', ['--report='], 'flag --report is missing'],
    ['a missing report', ['--report=gone'], 'open gone: no such file or directory'],
    ['a directory', ['--report=.'], 'open .: is a directory'],
    ['a missing certificate', ['--vek=gone'], 'open gone: no such file or directory'],
    ['missing certificates', ['--certs=gone'], 'open gone: no such file or directory'],
    ['a missing list', ['--crl=gone'], 'open gone: no such file or directory'],
    ['a missing policy', ['--policy=gone'], 'open gone: no such file or directory'],
    ['missing roots', ['--allow-simulated', '--simulated-roots=gone'], 'open gone: no such file'],
    ['an endless file', ['--report=/dev/zero'], '/dev/zero is longer than 2097152 bytes'],
    ['a huge policy', ['--policy=/dev/zero'], '/dev/zero is longer than 262144 bytes'],
    ['no envelope', ['--report=text'], '(evidence-unrecognised)'],
    ['damaged JSON', ['--report=brace'], '(json-malformed)'],
    ['JSON of something else', ['--report=object'], '(evidence-unrecognised)'],
    ['damaged PEM', ['--vek=dashes'], 'dashes: PEM: expected'],
    ['two certificates as one', ['--vek=two.pem'], 'two.pem: expected one certificate'],
    ['two endorsement keys', ['--certs=two.pem'], 'at most one endorsement key certificate'],
    ['a damaged table', ['--certs=text'], 'the certificate table has no end'],
    ['a policy of no YAML', ['--policy=brace'], '(policy-unreadable)'],
    ['a policy of unknown keys', ['--policy=object'], 'object: a: unknown key `a`'],
    ['an unknown format', ['--report-format=pdf'], 'it takes one of raw, extended'],
    ['a time without an offset', ['--at=2026-01-01T00:00:00'], 'date, time and offset'],
    ['a day that does not exist', ['--at=2026-02-29T00:00:00Z'], 'date, time and offset'],
    ['short report data', ['--report-data=00'], 'neither padded nor cut), not 2'],
    ['report data of other digits', [`--report-data=${'xy'.repeat(64)}`], 'not other characters'],
    ['an unknown flag', ['--insecure'], 'unknown flag: --insecure'],
    ['an operand', ['report.bin'], 'accepts no arguments'],
  ];

  it.each(MISTAKES)('%s', async (_, flags, message) => {
    const files = genoa();
    files.write('text', 'This is no evidence at all.');
    files.write('brace', '{"report": ');
    files.write('object', '{"a": 1}');
    files.write('dashes', '-----BEGIN CERTIFICATE-----\n');
    const vek = files.document.evidence.vek ?? '';
    files.write('two.pem', pem([vek, vek]));
    const base = files.flags.filter((flag) => flag !== '--vek=vek.der');
    const done = await verify([...base, acceptingGenoa(files), ...flags]);
    expect(done.stderr).toContain(message);
    expect(done.stderr).toMatch(/^a3s-box: .+ \([a-z-]+\)\n/);
    expect(done).toMatchObject({ status: 2, stdout: '' });
  });

  it('is told to programs too', async () => {
    const files = genoa();
    files.write('report.bin', 'This is no evidence at all.');
    const done = await verify([...files.flags, '--json']);
    expect(done.status).toBe(2);
    expect(JSON.parse(done.stdout)).toMatchObject({
      accepted: false,
      code: 'evidence-unrecognised',
      checks: [],
      error: { message: 'Cannot tell what kind of evidence report.bin is' },
    });
    const missing = await verify(['--report=gone', '--json']);
    expect(JSON.parse(missing.stdout)).toMatchObject({
      accepted: false,
      code: 'invalid-argument',
      error: { message: '--report: open gone: no such file or directory' },
    });
  });

  it('has two endorsement keys', async () => {
    const files = genoa();
    files.write('chain.pem', pem([files.document.evidence.vek ?? '']));
    const done = await verify([...files.flags, '--certs=chain.pem']);
    expect(done.status).toBe(2);
    expect(done.stderr).toContain('--vek and --certs both have an endorsement key certificate');
  });

  it('reaches no terminal as it is', async () => {
    const files = genoa();
    files.write('object', JSON.stringify({ '\u001b[31mred': 1 }));
    const done = await verify([...files.flags, '--policy=object']);
    expect(done.status).toBe(2);
    expect(done.stderr).not.toContain('\u001b');
  });
});

/** The one entry of a VCEK, and the end (GHCB, extended guest request). */
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
