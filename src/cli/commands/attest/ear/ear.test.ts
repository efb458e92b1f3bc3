import { generateKeyPairSync, type KeyPairKeyObjectResult, sign } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { EvidenceFiles, SIMULATED_ROOTS } from '../../../testing/evidence-files.ts';
import { type Transcript, transcript } from '../../../testing/fake-context.ts';
import { acceptingGenoa, verifyIn } from '../../../testing/verify-in.ts';

let cwd: string;

beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'a3s-ear-'));
});

afterEach(() => {
  vi.useRealTimers();
  rmSync(cwd, { recursive: true });
});

const NONCE = '00112233445566778899aabbccddeeff';

function keysOf(kind: 'ed25519' | 'P-256' | 'P-384' | 'secp256k1'): KeyPairKeyObjectResult {
  return kind === 'ed25519'
    ? generateKeyPairSync('ed25519')
    : generateKeyPairSync('ec', { namedCurve: kind });
}

/** Writes `ear.key` and `ear.pub`. */
function writeKeys(kind: Parameters<typeof keysOf>[0] = 'ed25519'): void {
  const { privateKey, publicKey } = keysOf(kind);
  writeFileSync(join(cwd, 'ear.key'), privateKey.export({ type: 'pkcs8', format: 'pem' }), {
    mode: 0o600,
  });
  writeFileSync(join(cwd, 'ear.pub'), publicKey.export({ type: 'spki', format: 'pem' }));
}

const ear = (args: readonly string[]): Promise<Transcript> =>
  transcript('/nonexistent', ['attest', 'ear', ...args], { cwd, home: join(cwd, 'home') });

/** Evidence at the time at which it is judged, which is the time of the clock. */
function evidenceNow(area: string, name: string): EvidenceFiles {
  const files = new EvidenceFiles(cwd, area, name);
  vi.useFakeTimers({ toFake: ['Date'], now: new Date(files.document.now) });
  return files;
}

const flagsOf = (files: EvidenceFiles): readonly string[] =>
  files.flags.filter((flag) => !flag.startsWith('--at='));

const genoa = (): EvidenceFiles => evidenceNow('hardware', 'genoa-v5');
const SIGN = ['--ear-out=result', '--ear-key=ear.key', `--ear-nonce=${NONCE}`];

/** The report data of the evidence, as the one that was made for the nonce. */
const expectingOf = (files: EvidenceFiles): string =>
  `--report-data=${files.report.subarray(0x50, 0x90).toString('hex')}`;

describe('an attestation result of the command line', () => {
  it.each([
    ['ed25519', 'jwt', 'ietf-03'],
    ['P-256', 'cwt', 'ietf-03'],
    ['P-384', 'jwt', 'veraison'],
    ['ed25519', 'cwt', 'trustee'],
  ] as const)(
    'reads a result as it was written, by %s as %s of %s',
    async (kind, format, profile) => {
      writeKeys(kind);
      const files = genoa();
      const policy = acceptingGenoa(files, { crl: { maxAgeDays: null }, reportData: undefined });
      const flags = [
        expectingOf(files),
        ...SIGN,
        `--ear-format=${format}`,
        `--ear-profile=${profile}`,
      ];
      expect(await verifyIn(cwd, [...flagsOf(files), policy, ...flags])).toMatchObject({
        status: 0,
        stderr: '',
      });
      const done = await ear(['--key=ear.pub', `--nonce=${NONCE}`, '--json', 'result']);
      expect(done).toMatchObject({ status: 0, stderr: '' });
      expect(JSON.parse(done.stdout)).toMatchObject({
        accepted: true,
        code: 'accepted',
        status: 'affirming',
        profile,
        nonce: NONCE,
        submods: {
          'sev-snp': {
            status: 'affirming',
            vector: { executables: 3, hardware: 2, 'runtime-opaque': 2 },
            policyIds: [expect.stringMatching(/^sha256:[0-9a-f]{64}$/)],
          },
        },
      });
    },
  );

  it('contraindicates what the policy rejects, and evidence that does not verify', async () => {
    writeKeys();
    const files = genoa();
    expect((await verifyIn(cwd, [...flagsOf(files), ...SIGN])).status).toBe(1);
    const reading = ['--key=ear.pub', '--any-nonce', 'result'];
    const rejected = await ear(reading);
    expect(rejected.status).toBe(1);
    expect(rejected.stdout).toContain('sev-snp: contraindicated\n');
    expect(rejected.stdout).toContain('  executables        96, contraindicated\n');
    expect(rejected.stdout).toContain('  hardware           2, affirming\n');
    const changed = Buffer.from(files.report);
    changed[0x50] = (changed[0x50] ?? 0) ^ 1;
    files.write('changed.bin', changed);
    await verifyIn(cwd, [...flagsOf(files), '--report=changed.bin', ...SIGN]);
    expect((await ear(reading)).stdout).toContain('  hardware           99, contraindicated\n');
  });

  it('affirms nothing of simulated evidence that a policy accepts', async () => {
    writeKeys();
    const files = evidenceNow('appraisal', 'debug');
    const simulated = ['--allow-simulated', `--simulated-roots=${SIMULATED_ROOTS}`];
    await verifyIn(cwd, [...flagsOf(files), ...simulated, ...SIGN]);
    const done = await ear(['--key=ear.pub', '--any-nonce', '--json', 'result']);
    expect(done.status).toBe(1);
    const { accepted, code, status, submods } = JSON.parse(done.stdout);
    expect({ accepted, code, status }).toEqual({
      accepted: false,
      code: 'ear-status',
      status: 'contraindicated',
    });
    expect(submods.simulated).toMatchObject({
      status: 'contraindicated',
      vector: { hardware: 97, 'runtime-opaque': 96 },
    });
  });

  it('answers no nonce over evidence of any age', async () => {
    writeKeys();
    const files = genoa();
    const policy = acceptingGenoa(files, { crl: { maxAgeDays: null } });
    const done = await verifyIn(cwd, [...flagsOf(files), policy, ...SIGN]);
    expect(done.status).not.toBe(0);
    expect(done.stderr).toContain('no check of REPORT_DATA shows that the evidence is fresh');
    expect(existsSync(join(cwd, 'result'))).toBe(false);
    const unasked = SIGN.filter((flag) => !flag.startsWith('--ear-nonce'));
    expect((await verifyIn(cwd, [...flagsOf(files), policy, ...unasked])).status).toBe(0);
    expect((await ear(['--key=ear.pub', '--any-nonce', 'result'])).status).toBe(0);
  });

  it('puts the report into a result where that is asked for', async () => {
    writeKeys();
    const files = genoa();
    await verifyIn(cwd, [...flagsOf(files), ...SIGN, '--ear-evidence']);
    const token = readFileSync(join(cwd, 'result'), 'utf8').trim();
    const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
    expect(Buffer.from(claims.ear_raw_evidence, 'base64url').equals(files.report)).toBe(true);
  });

  it('refuses a result with its code where key, nonce or time are others', async () => {
    writeKeys();
    const files = genoa();
    await verifyIn(cwd, [...flagsOf(files), ...SIGN]);
    const nonce = `--nonce=${NONCE}`;
    const codeOf = async (args: readonly string[]): Promise<unknown> => {
      const done = await ear([...args, '--json', 'result']);
      return [done.status, JSON.parse(done.stdout).code];
    };
    expect(await codeOf(['--key=ear.pub', `--nonce=${'00'.repeat(16)}`])).toEqual([1, 'ear-nonce']);
    expect(await codeOf(['--key=ear.pub', nonce, '--at=2036-01-01T00:00:00Z'])).toEqual([
      1,
      'ear-time',
    ]);
    writeKeys();
    expect(await codeOf(['--key=ear.pub', nonce])).toEqual([1, 'ear-signature']);
    writeKeys('P-256');
    expect(await codeOf(['--key=ear.pub', nonce])).toEqual([1, 'ear-algorithm']);
  });

  it('shows no control character of a result that it refuses', async () => {
    const { privateKey, publicKey } = keysOf('ed25519');
    writeFileSync(join(cwd, 'ear.pub'), publicKey.export({ type: 'spki', format: 'pem' }));
    const [header, claims] = [{ alg: 'EdDSA' }, { eat_profile: '\u009b2J\u202e' }].map((part) =>
      Buffer.from(JSON.stringify(part)).toString('base64url'),
    );
    const signature = sign(null, Buffer.from(`${header}.${claims}`), privateKey);
    writeFileSync(join(cwd, 'result'), `${header}.${claims}.${signature.toString('base64url')}`);
    const done = await ear(['--key=ear.pub', '--any-nonce', 'result']);
    expect(done.stdout).toContain('Refused (ear-profile)');
    expect(done.stdout.trimEnd()).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  });
});

describe('mistakes with attestation results', () => {
  it.each([
    [['--ear-key=ear.key'], '--ear-key only works with --ear-out'],
    [['--ear-out=result'], 'flag --ear-key is missing'],
    [[...SIGN, '--at=2026-03-01T12:00:00Z'], '--at does not work with --ear-out'],
    [['--ear-out=nowhere/result', '--ear-key=ear.key'], 'does not exist'],
    [['--ear-out=result', '--ear-key=ear.key', '--ear-format=pdf'], 'jwt or cwt'],
    [['--ear-out=result', '--ear-key=ear.key', '--ear-profile=x'], 'ietf-03'],
    [['--ear-out=result', '--ear-key=ear.key', '--ear-nonce=00'], '8 to 64 bytes'],
  ])('refuses %j before anything is decided', async (flags, reason) => {
    writeKeys();
    const done = await verifyIn(cwd, [...flagsOf(genoa()), ...flags]);
    expect(done.status).not.toBe(0);
    expect(done.stdout).toBe('');
    expect(done.stderr).toContain(reason);
    expect(existsSync(join(cwd, 'result'))).toBe(false);
  });

  it('refuses a key of a kind that no result is signed by', async () => {
    writeKeys('secp256k1');
    const done = await verifyIn(cwd, [...flagsOf(genoa()), ...SIGN]);
    expect(done.stderr).toContain('Ed25519, P-256 or P-384');
  });

  it.each([
    [['--any-nonce'], '--key'],
    [['--key=ear.pub'], 'either --nonce or --any-nonce'],
    [['--key=ear.pub', '--any-nonce', `--nonce=${NONCE}`], 'either --nonce or --any-nonce'],
    [['--key=ear.key', '--any-nonce'], 'is a private key'],
    [['--key=ear.pub', '--any-nonce', '--max-age=0'], 'a second or more'],
  ])('refuses to read a result with %j', async (flags, reason) => {
    writeKeys();
    writeFileSync(join(cwd, 'result'), 'a.b.c');
    const done = await ear([...flags, 'result']);
    expect(done.status).toBe(2);
    expect(done.stderr).toContain(reason);
  });
});
