import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  amdFile,
  EvidenceFiles,
  pem,
  SIMULATED_ROOTS,
  vectorNames,
} from '../../testing/evidence-files.ts';
import { type FakeEnds, type Transcript, transcript } from '../../testing/fake-context.ts';
import { acceptingGenoa, type Check, failed, verifyIn } from '../../testing/verify-in.ts';

let cwd: string;

beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'a3s-attest-'));
});

afterEach(() => rmSync(cwd, { recursive: true }));

const verify = (args: readonly string[], ends: FakeEnds = {}): Promise<Transcript> =>
  verifyIn(cwd, args, ends);

const genoa = (): EvidenceFiles => new EvidenceFiles(cwd, 'hardware', 'genoa-v5');
const simulated = (): EvidenceFiles => new EvidenceFiles(cwd, 'appraisal', 'debug');
const SIMULATED = ['--allow-simulated', `--simulated-roots=${SIMULATED_ROOTS}`];

describe('evidence of hardware', () => {
  it.each(vectorNames('hardware'))(
    'decides about hardware evidence %s as the verification library does',
    async (name) => {
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
    },
  );

  it('accepts hardware evidence under a policy that names its measurement', async () => {
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

  it('rejects hardware evidence without a policy, because the default is strict', async () => {
    const done = await verify([...genoa().flags, '--json']);
    expect(done.status).toBe(1);
    expect(failed(done)).toEqual(['measurement', 'host-data', 'report-data']);
    const text = await verify(genoa().flags);
    expect(text.stdout).toContain(
      '\nRejected (measurement and 2 more): it does not hold that the launch digest is an allowed one.\nList the digest',
    );
  });

  it('prints one stable document with --json', async () => {
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
    expect(document.checks.at(-1)).toMatchObject({ stage: 'policy', code: 'known-vulnerable' });
  });

  it('shows expected and actual values of a failed check, and a remedy', async () => {
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

  it('fits 80 columns, and prints one line for a policy that was not checked', async () => {
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

  it('prints no claims before everything is verified', async () => {
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

  it('judges evidence at the time given by --at', async () => {
    const files = genoa();
    const at = (time: string): Promise<Transcript> =>
      verify([...files.flags, acceptingGenoa(files), `--at=${time}`, '--json']);
    expect(failed(await at('2040-01-01T00:00:00Z'))).toEqual(['vek-validity']);
    expect(failed(await at('2025-11-03T02:00:00.5+00:00'))).toEqual(['crl-validity']);
    expect((await at('2025-11-03T02:00:00+01:00')).status).toBe(0);
  });
});

describe('simulated evidence', () => {
  // The command line has no flag for when a list was obtained: a given list counts as obtained at
  // --at. And it knows no launch spec of a guest of libkrun, which the last two need.
  const others = /^(crl-age.*|engine-krun|engine-not-said)$/;
  const names = vectorNames('appraisal').filter((name) => !others.test(name));

  it.each(names)('decides about simulated evidence %s as its vector says', async (name) => {
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

  it('rejects a guest of libkrun, whose report alone shows no launch spec', async () => {
    const files = new EvidenceFiles(cwd, 'appraisal', 'engine-krun');
    const done = await verify([...files.flags, ...SIMULATED, '--json']);
    expect(done.status).toBe(1);
    expect(failed(done)).toEqual(['launch-spec']);
  });

  it('prints first that evidence is simulated', async () => {
    const done = await verify([...simulated().flags, ...SIMULATED]);
    expect(done.stdout).toMatch(/^\*\*\* SIMULATED EVIDENCE: no hardware vouches/);
  });

  it('rejects simulated evidence unless it is allowed', async () => {
    const done = await verify([...simulated().flags, '--json']);
    expect(done.status).toBe(1);
    expect(failed(done)).toEqual(['vek-subject']);
    expect(JSON.parse(done.stdout)).not.toHaveProperty('simulated');
  });

  it('does not accept hardware evidence because simulated evidence is allowed', async () => {
    const done = await verify([...genoa().flags, ...SIMULATED, '--json']);
    expect(failed(done)).toEqual(['vek-subject']);
  });

  it('rejects simulated evidence under a policy for hardware', async () => {
    const files = simulated();
    const policy = { ...files.document.policy, tee: 'sev-snp', crl: { required: false } };
    files.write('policy.json', JSON.stringify(policy));
    expect(failed(await verify([...files.flags, ...SIMULATED, '--json']))).toContain('tee');
  });

  it.each([['--allow-simulated'], [`--simulated-roots=${SIMULATED_ROOTS}`]])(
    'requires both flags for simulated evidence, not %s alone',
    async (flag) => {
      const done = await verify([...simulated().flags, flag]);
      expect(done.status).toBe(2);
      expect(done.stderr).toContain('only work together');
    },
  );

  it('refuses roots of AMD as simulated roots', async () => {
    const files = simulated();
    const chain = ['ark', 'ask', 'asvk'].map((name) => amdFile(`genoa_${name}.pem`).toString());
    files.write('amd.pem', chain.join(''));
    const done = await verify([...files.flags, '--allow-simulated', '--simulated-roots=amd.pem']);
    expect(done.status).toBe(2);
    expect(done.stderr).toContain('(simulated-roots)');
  });
});

describe('unknown flags', () => {
  it.each([
    [['verify', '--nonce=1234'], 'unknown flag: --nonce'],
    [['verify', '--raw'], 'unknown flag: --raw'],
    [['show', '--nonce=1234'], 'unknown flag: --nonce'],
    [['show', '--raw'], 'unknown flag: --raw'],
  ])('refuses the unknown flag in %j', async (args, message) => {
    genoa();
    const done = await transcript('/nonexistent', ['attest', ...args, '--report=report.bin'], {
      cwd,
    });
    expect(done).toMatchObject({ status: 2, stdout: '' });
    expect(done.stderr).toContain(message);
  });
});

describe('evidence that cannot be judged', () => {
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
    ['two keys as one', ['--vek=two.pem'], 'two.pem: expected one endorsement key certificate'],
    ['two endorsement keys', ['--certs=two.pem'], 'at most one endorsement key certificate'],
    ['a damaged table', ['--certs=text'], 'the certificate table has no end'],
    ['a policy of no YAML', ['--policy=brace'], '(policy-unreadable)'],
    ['a document of other keys', ['--policy=object'], 'it has none of the keys of one'],
    ['a policy with an unknown key', ['--policy=unknown'], 'unknown: a: unknown key `a`'],
    ['an unknown format', ['--report-format=pdf'], 'it takes one of raw, extended'],
    ['a time without an offset', ['--at=2026-01-01T00:00:00'], 'date, time and offset'],
    ['a day that does not exist', ['--at=2026-02-29T00:00:00Z'], 'date, time and offset'],
    ['short report data', ['--report-data=00'], 'neither padded nor cut), not 2'],
    ['report data of other digits', [`--report-data=${'xy'.repeat(64)}`], 'not other characters'],
    ['an unknown flag', ['--insecure'], 'unknown flag: --insecure'],
    ['an operand', ['report.bin'], 'accepts no arguments'],
  ];

  it.each(MISTAKES)('verify cannot decide with %s', async (_, flags, message) => {
    const files = genoa();
    files.write('text', 'This is no evidence at all.');
    files.write('brace', '{"report": ');
    files.write('object', '{"a": 1}');
    files.write('unknown', '{"schema": "a3s-box/attestation-policy/v1", "a": 1}');
    files.write('dashes', '-----BEGIN CERTIFICATE-----\n');
    const vek = files.document.evidence.vek ?? '';
    files.write('two.pem', pem([vek, vek]));
    const base = files.flags.filter((flag) => flag !== '--vek=vek.der');
    const done = await verify([...base, acceptingGenoa(files), ...flags]);
    expect(done.stderr).toContain(message);
    expect(done.stderr).toMatch(/^a3s-box: .+ \([a-z-]+\)\n/);
    expect(done).toMatchObject({ status: 2, stdout: '' });
  });

  it('prints a JSON document when it cannot decide', async () => {
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

  it('verify cannot decide with two endorsement keys', async () => {
    const files = genoa();
    files.write('chain.pem', pem([files.document.evidence.vek ?? '']));
    const done = await verify([...files.flags, '--certs=chain.pem']);
    expect(done.status).toBe(2);
    expect(done.stderr).toContain('--vek and --certs both have an endorsement key certificate');
  });

  it('removes control characters from its errors', async () => {
    const files = genoa();
    files.write('object', JSON.stringify({ '\u001b[31mred': 1 }));
    const done = await verify([...files.flags, '--policy=object']);
    expect(done.status).toBe(2);
    expect(done.stderr).not.toContain('\u001b');
  });
});

/** The one entry of a VCEK, and the end (GHCB, extended guest request). */
