import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { amdFile, EvidenceFiles } from '../../testing/evidence-files.ts';
import { type Transcript, transcript } from '../../testing/fake-context.ts';
import { FakeKds } from '../../testing/fake-kds.ts';

let cwd: string;
let kds: FakeKds;
let files: EvidenceFiles;

beforeEach(async () => {
  cwd = mkdtempSync(join(tmpdir(), 'a3s-fetch-'));
  // Only Date is fake, because certificates and lists are valid at certain times; timers are real.
  vi.useFakeTimers({ toFake: ['Date'], now: new Date('2025-10-01T00:00:00Z') });
  files = new EvidenceFiles(cwd, 'hardware', 'genoa-v5');
  kds = new FakeKds();
  await kds.listen();
  kds.answers.set(`/vcek/v1/Genoa/${CHIP}`, files.vek);
  kds.answers.set('/vcek/v1/Genoa/crl', amdFile('genoa_crl.der'));
  kds.answers.set('/vlek/v1/Genoa/crl', amdFile('genoa_crl.der'));
});

afterEach(async () => {
  await kds.close();
  vi.useRealTimers();
  rmSync(cwd, { recursive: true });
});

const CHIP =
  'd2421d976f95ce0ba849b7cc5c789122f1e59c77a037272c137ae4d188bb102adbc7c53d0302bff82a432c94a305dec7a7a270ceb19a10f04a83316c6486968d';
const NAMED = ['--product=genoa', `--chip-id=${CHIP}`, '--tcb=bl=10,tee=0,snp=25,ucode=84'];

const attest = (...args: readonly string[]): Promise<Transcript> =>
  transcript('/nonexistent', ['attest', ...args], { cwd, home: join(cwd, 'home') });

const fetchCerts = (...flags: readonly string[]): Promise<Transcript> =>
  attest('fetch-certs', `--kds-url=${kds.url}`, ...flags);

const kept = (): readonly string[] =>
  readdirSync(join(cwd, 'home'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => entry.name)
    .sort();

const CACHED = [
  'Genoa-vcek-4.crl',
  'Genoa-vcek-4.json',
  'bl10_tee00_snp25_ucode84_vcek.der',
] as const;

describe('attest fetch-certs', () => {
  it.each([
    ['a report', ['--report=report.bin']],
    ['a chip at a TCB', NAMED],
  ])('fetches, verifies and stores what %s needs', async (_, flags) => {
    const done = await fetchCerts(...flags);
    expect(done).toMatchObject({ status: 0, stderr: '' });
    expect(done.stdout).toBe(
      `VCEK of Genoa chip ${CHIP}, bl 10, tee 0, snp 25, ucode 84, valid until 2032-08-07T17:21:41Z: fetched and verified
Revocation list of Genoa for VCEKs, number 4, current until 2025-11-03T01:00:00Z: fetched and verified
Kept in ${join(cwd, 'home/endorsements')}
`,
    );
    expect(kds.asked).toEqual([
      `/vcek/v1/Genoa/${CHIP}?blSPL=10&teeSPL=00&snpSPL=25&ucodeSPL=84`,
      '/vcek/v1/Genoa/crl',
    ]);
    expect(kept()).toEqual(CACHED);
  });

  it('fetches a certificate once, and the revocation list each time', async () => {
    await fetchCerts(...NAMED);
    kds.asked.length = 0;
    const done = await fetchCerts('--report=report.bin', '--json');
    expect(kds.asked).toEqual(['/vcek/v1/Genoa/crl']);
    expect(JSON.parse(done.stdout)).toMatchObject({
      directory: join(cwd, 'home/endorsements'),
      vceks: [{ kind: 'VCEK', product: 'Genoa', hwid: CHIP, source: 'cache' }],
      crls: [{ kind: 'VCEK', product: 'Genoa', number: '0x4' }],
      failures: [],
    });
    expect((await fetchCerts(...NAMED)).stdout).toContain('it was in the cache already');
  });

  it('replaces a damaged certificate in the cache', async () => {
    await fetchCerts(...NAMED);
    const path = join(cwd, 'home/endorsements/vcek', CHIP, CACHED[2]);
    writeFileSync(path, 'damaged');
    expect((await fetchCerts(...NAMED)).stdout).toContain('ucode 84, valid until');
    expect(readFileSync(path).equals(files.vek)).toBe(true);
  });

  it('fills the cache that attest verify reads', async () => {
    const measurement = files.report.subarray(0x90, 0xc0).toString('hex');
    const policy = {
      measurements: [measurement],
      hostData: 'any-explicit',
      reportData: 'any-explicit',
    };
    files.write('policy.json', JSON.stringify(policy));
    const flags = ['verify', '--report=report.bin', '--policy=policy.json'];
    expect(await attest(...flags)).toMatchObject({ status: 1 });
    await fetchCerts('--report=report.bin');
    vi.setSystemTime(new Date('2025-10-03T00:00:00Z'));
    const done = await attest(...flags);
    expect(done.status).toBe(0);
    expect(done.stdout).toContain('Endorsement key:  from the cache\n');
    expect(done.stdout).toContain('Revocation list:  from the cache, 2 days old\n');
    vi.setSystemTime(new Date('2025-10-09T00:00:00Z'));
    const late = await attest(...flags);
    expect(late.status).toBe(1);
    expect(late.stdout).toContain('Rejected (crl-age)');
  });

  it('fills the cache for evidence judged at a past time', async () => {
    const measurement = files.report.subarray(0x90, 0xc0).toString('hex');
    const policy = { measurements: [measurement], hostData: 'any-explicit' };
    files.write('policy.json', JSON.stringify({ ...policy, reportData: 'any-explicit' }));
    await fetchCerts('--report=report.bin');
    vi.setSystemTime(new Date('2025-10-20T00:00:00Z'));
    const flags = ['verify', '--report=report.bin', '--policy=policy.json'];
    // The list was issued on 6 May, and would be too old if its age counted from then.
    const past = await attest(...flags, '--at=2025-09-20T00:00:00Z');
    expect(past.status).toBe(0);
    expect(past.stdout).toContain(
      'Revocation list:  from the cache, got on 2025-10-01T00:00:00.000Z, after the time judged by\n',
    );
    expect((await attest(...flags, '--at=2025-10-02T00:00:00Z')).status).toBe(0);
    expect((await attest(...flags)).stdout).toContain('Rejected (crl-age)');
    // A list obtained in the future is not fresh.
    vi.setSystemTime(new Date('2025-09-20T00:00:00Z'));
    expect((await attest(...flags)).stdout).toContain('Rejected (crl-age)');
    expect((await attest(...flags, '--at=2025-09-20T00:00:00Z')).stdout).toContain('(crl-age)');
  });

  it('reports a damaged cache in attest verify', async () => {
    await fetchCerts(...NAMED);
    writeFileSync(join(cwd, 'home/endorsements/vcek', CHIP, CACHED[2]), 'damaged');
    const done = await attest('verify', '--report=report.bin');
    expect(done).toMatchObject({ status: 2, stdout: '' });
    expect(done.stderr).toContain('(store-malformed)');
    expect(done.stderr).toContain('Delete the file');
  });

  it('finds the certificate for a version 2 report when the product is named', async () => {
    const old = new EvidenceFiles(cwd, 'hardware', 'milan-debug-v2');
    const chip = old.report.subarray(0x1a0, 0x1e0).toString('hex');
    kds.answers.set(`/vcek/v1/Milan/${chip}`, old.vek);
    const unnamed = await fetchCerts('--report=report.bin');
    expect(unnamed).toMatchObject({ status: 2 });
    expect(unnamed.stderr).toContain('Name it with --product.');
    const done = await fetchCerts('--report=report.bin', '--product=Milan');
    // The fake service has no revocation list of Milan.
    expect(done.status).toBe(1);
    const verified = await attest('verify', '--report=report.bin', '--json');
    expect(JSON.parse(verified.stdout)).toMatchObject({
      claims: { product: 'Milan' },
      sources: { vek: 'the cache', crl: null },
    });
  });

  it('fetches only the revocation lists of a product, for both kinds of keys', async () => {
    const done = await fetchCerts('--crl', '--product=Genoa');
    expect(done.status).toBe(0);
    expect(kds.asked).toEqual(['/vcek/v1/Genoa/crl', '/vlek/v1/Genoa/crl']);
    expect(done.stdout).toContain('Revocation list of Genoa for VLEKs, number 4');
  });

  it('fetches the revocation lists of all products when none is named', async () => {
    const done = await fetchCerts('--crl');
    expect(done.status).toBe(1);
    expect(done.stdout.match(/^Revocation list of \w+ for \w+/gm)).toEqual([
      'Revocation list of Genoa for VCEKs',
      'Revocation list of Genoa for VLEKs',
    ]);
    expect(done.stdout).toContain('Kept in ');
    const failure = /^a3s-box: the revocation list of (\w+ for \w+): .* \(kds-not-found\)$/gm;
    expect([...done.stderr.matchAll(failure)].map(([, which]) => which)).toEqual([
      'Milan for VCEKs',
      'Milan for VLEKs',
      'Turin for VCEKs',
      'Turin for VLEKs',
    ]);
    expect(kds.asked).toHaveLength(6);
  });

  it('prints what it stored, and then what it could not fetch', async () => {
    kds.answers.delete('/vcek/v1/Genoa/crl');
    const done = await fetchCerts(...NAMED);
    expect(done.status).toBe(1);
    expect(done.stdout).toMatch(/^VCEK of Genoa chip .*: fetched and verified\nKept in .*\n$/);
    expect(done.stderr).toMatch(
      /^a3s-box: the revocation list of Genoa for VCEKs: .*not-found\)\n/,
    );
    expect(kept()).toEqual([CACHED[2]]);
    const document = JSON.parse((await fetchCerts(...NAMED, '--json')).stdout);
    expect(document).toMatchObject({
      vceks: [{ product: 'Genoa', source: 'cache' }],
      crls: [],
      failures: [{ code: 'kds-not-found', error: { remedy: expect.any(String) } }],
    });
  });

  it('stores nothing that AMD has not signed', async () => {
    const forged = Buffer.from(files.vek);
    forged.writeUInt8(forged.readUInt8(forged.length - 1) ^ 1, forged.length - 1);
    kds.answers.set(`/vcek/v1/Genoa/${CHIP}`, forged);
    const done = await fetchCerts(...NAMED);
    expect(done).toMatchObject({ status: 1, stdout: '' });
    expect(done.stderr).toContain('(vek-signature)');
    expect(() => kept()).toThrow('ENOENT');
  });

  it('stores no revocation list that is not current', async () => {
    vi.setSystemTime(new Date('2026-01-01T00:00:00Z'));
    const done = await fetchCerts('--crl', '--product=Genoa');
    expect(done.status).toBe(1);
    expect(done.stderr).toContain('(crl-validity)');
    expect(() => kept()).toThrow('ENOENT');
  });

  it('refuses a certificate other than the requested one', async () => {
    kds.answers.set(`/vcek/v1/Genoa/${CHIP}`, new EvidenceFiles(cwd, 'hardware', 'siena-v5').vek);
    const done = await fetchCerts(...NAMED);
    expect(done.status).toBe(1);
    expect(done.stderr).toContain('(kds-response)');
  });

  it('gives up on a service that does not answer in time', async () => {
    kds.silent = true;
    const done = await fetchCerts(...NAMED, '--timeout=150ms');
    expect(done).toMatchObject({ status: 1, stdout: '' });
    expect(done.stderr).toMatch(/\(kds-unreachable\)\n/);
  });

  it('reports an unreachable service', async () => {
    const gone = `--kds-url=${kds.url}`;
    await kds.close();
    const done = await attest('fetch-certs', ...NAMED, gone, '--timeout=200ms');
    expect(done.status).toBe(1);
    expect(done.stderr).toContain('(kds-unreachable)');
  });

  it('fetch-certs has no certificate to fetch for a report signed by a VLEK', async () => {
    new EvidenceFiles(cwd, 'hardware', 'milan-vlek-v3');
    const done = await fetchCerts('--report=report.bin');
    expect(done).toMatchObject({ status: 2, stdout: '' });
    expect(done.stderr).toContain('(kds-unsupported)');
    expect(kds.asked).toEqual([]);
  });
});

describe('a host without a network', () => {
  it('imports endorsements that another host has exported', async () => {
    await fetchCerts(...NAMED);
    const exported = await attest('fetch-certs', '--export=bundle');
    expect(exported).toMatchObject({ status: 0, stdout: 'Exported to bundle\n' });
    rmSync(join(cwd, 'home'), { recursive: true });
    const imported = await attest('fetch-certs', '--import=bundle');
    expect(imported).toMatchObject({
      status: 0,
      stdout: 'Imported 1 certificates and 1 revocation lists\n',
    });
    expect(kept()).toEqual(CACHED);
    const again = await attest('fetch-certs', '--import=bundle', '--json');
    expect(JSON.parse(again.stdout)).toEqual({ vceks: 1, crls: 1, olderCrls: 0 });
  });

  it('tells which clocks to check when an import comes from the future', async () => {
    await fetchCerts(...NAMED);
    await attest('fetch-certs', '--export=bundle');
    rmSync(join(cwd, 'home'), { recursive: true });
    vi.setSystemTime(new Date('2025-09-30T23:59:00Z'));
    const done = await attest('fetch-certs', '--import=bundle');
    expect(done).toMatchObject({ status: 2, stdout: '' });
    expect(done.stderr).toContain('a list in them was got after the time of this machine');
    expect(done.stderr).toContain('expected: lists got by 2025-09-30T23:59:00.000Z\n');
    expect(done.stderr).toContain('found:    one got at 2025-10-01T00:00:00.000Z\n');
    expect(done.stderr).toContain('Check the clock of this machine');
  });

  it("imports a directory of Trustee's", async () => {
    mkdirSync(join(cwd, 'kds-store/vcek', CHIP), { recursive: true });
    writeFileSync(join(cwd, 'kds-store/vcek', CHIP, 'vcek.der'), files.vek);
    const done = await attest('fetch-certs', '--import=kds-store');
    expect(done).toMatchObject({ status: 0, stdout: 'Imported 1 certificates\n' });
    expect(kept()).toEqual([CACHED[2]]);
  });

  it('refuses to import anything else', async () => {
    const done = await attest('fetch-certs', '--import=report.bin');
    expect(done).toMatchObject({ status: 2, stdout: '' });
    expect(done.stderr).toContain('(store-malformed)');
    expect(await attest('fetch-certs', '--import=gone')).toMatchObject({ status: 2 });
    expect(await attest('fetch-certs', '--export=gone/bundle')).toMatchObject({ status: 2 });
  });
});

describe('what fetch-certs cannot use', () => {
  const without = (name: string): readonly string[] =>
    NAMED.filter((flag) => !flag.startsWith(`--${name}=`));
  const MISTAKES: readonly (readonly [string, readonly string[], string])[] = [
    ['nothing to get', [], 'Cannot fetch: no report'],
    ['two things at once', ['--crl', '--export=x'], '--export and --crl cannot be used together'],
    ['a report and a chip', ['--report=report.bin', ...NAMED], 'cannot be used together'],
    ['a chip of no product', without('product'), 'flag --product is missing'],
    ['a chip at no TCB', without('tcb'), 'flag --tcb is missing'],
    ['an unknown product', [...NAMED, '--product=Rome'], 'it takes one of Milan, Genoa, Turin'],
    ['a short chip', [...NAMED, '--chip-id=abcd'], 'exactly 128 hexadecimal digits'],
    ['a long chip', [...NAMED, '--product=Turin', `--chip-id=${CHIP}00`], 'not 130'],
    ['fmc on Genoa', [...NAMED, '--tcb=fmc=1,bl=1,tee=1,snp=1,ucode=1'], 'on Turin it has fmc'],
    [
      'no fmc on Turin',
      ['--product=Turin', '--chip-id=3b42092f69c656d3', '--tcb=bl=1,tee=1,snp=1,ucode=1'],
      'on Turin it has fmc',
    ],
    ['half a TCB', [...NAMED, '--tcb=bl=1'], 'tee is missing'],
    ['a time in words', [...NAMED, '--timeout=soon'], 'at most an hour'],
    ['a mirror on an open path', [...NAMED, '--kds-url=http://example.com'], 'invalid argument'],
    ['no report', ['--report=gone'], 'open gone: no such file or directory'],
    ['an unknown flag', ['--force'], 'unknown flag: --force'],
  ];

  it.each(MISTAKES)('refuses fetch-certs with %s', async (_, flags, message) => {
    const done = await fetchCerts(...flags);
    expect(done.stderr).toContain(message);
    expect(done).toMatchObject({ status: 2, stdout: '' });
    expect(kds.asked).toEqual([]);
  });
});
