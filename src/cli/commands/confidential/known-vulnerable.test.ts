import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { launchRecordOf } from '@a3s-box/attestation/measure';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { sha256 } from '../../../boot/digest.ts';
import { syntheticSet, writeSyntheticSet } from '../../../boot/testing/synthetic-set.ts';
import { type Transcript, transcript } from '../../testing/fake-context.ts';
import { ovmfImage } from '../../testing/ovmf-image.ts';

/** A list that names this image: the real one is of firmware of 4 MiB. */
const LISTED = ovmfImage(0x66);
const FIRMWARE = sha256(LISTED);
const INPUTS = {
  vmm: 'qemu',
  vcpus: 1,
  vcpuType: 'EPYC-Milan',
  kernel: Buffer.from('kernel'),
  append: 'quiet',
} as const;
const { ovmf, digest: DIGEST } = launchRecordOf({ ...INPUTS, ovmf: Uint8Array.from(LISTED) });
const PAGES = ovmf.hash;

vi.mock('../../../../policies/src/known-vulnerable/known-vulnerable-data.ts', async () => {
  const { createHash } = await import('node:crypto');
  const { ovmfImage } = await import('../../testing/ovmf-image.ts');
  const image = Uint8Array.from(ovmfImage(0x66));
  const group = { date: '2026-01-01', id: 'TEST-1', reason: 'it is a test' };
  const firmware = createHash('sha256').update(image).digest('hex');
  // The code that measures it imports the mocked list, and would wait for this factory.
  const ovmfHash =
    '34fffd06460d86392dcf5ea419d3eb73dd4b1e2787747ab471fa84579bbbaa948dfe37b3ae74238c3587614fe968d937';
  const digests = [
    ['firmware', firmware],
    ['firmware-pages', ovmfHash],
    ['launch', 'ee'.repeat(48)],
  ];
  const groups = [{ ...group, advisory: 'advisories/README.md', digests }];
  return { KNOWN_VULNERABLE_DATA: { date: '2026-01-01', groups } };
});

let cwd: string;
beforeEach(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'a3s-vulnerable-'));
  await writeFile(join(cwd, 'listed.fd'), LISTED);
  await writeFile(join(cwd, 'good.fd'), ovmfImage());
  await writeFile(join(cwd, 'kernel'), 'kernel');
  await policy('firmware.yaml', FIRMWARE);
  await policy('pages.yaml', PAGES);
  await policy('another.yaml', 'ab'.repeat(32));
});
afterEach(() => rm(cwd, { recursive: true }));

function policy(name: string, digest: string): Promise<void> {
  return writeFile(join(cwd, name), `allowKnownVulnerable: [${digest}]\n`);
}

function a3s(line: string): Promise<Transcript> {
  return transcript('/nonexistent', line.split(' '), { cwd, bootDir: '/nonexistent', home: cwd });
}

const LAUNCH = '--kernel=kernel --append=quiet --vcpus=1 --vcpu-type=EPYC-Milan';

describe('attest measure', () => {
  it('refuses to measure firmware known to be vulnerable, and gives the reason', async () => {
    const done = await a3s(`attest measure --ovmf=listed.fd ${LAUNCH}`);
    expect(done).toMatchObject({ status: 2, stdout: '' });
    expect(done.stderr).toContain('(known-vulnerable)');
    expect(done.stderr).toContain(`the firmware ${FIRMWARE} is known to be vulnerable (TEST-1)`);
    expect(done.stderr).toContain('it is a test');
    const json = await a3s(`attest measure --json --ovmf=listed.fd ${LAUNCH}`);
    expect(JSON.parse(json.stdout)).toMatchObject({ code: 'known-vulnerable' });
  });

  it('measures vulnerable firmware when a policy excepts exactly it', async () => {
    const allowed = await a3s(`attest measure --policy=firmware.yaml --ovmf=listed.fd ${LAUNCH}`);
    expect(allowed).toMatchObject({ status: 0, stdout: `${DIGEST}\n` });
    const other = await a3s(`attest measure --policy=another.yaml --ovmf=listed.fd ${LAUNCH}`);
    expect(other).toMatchObject({ status: 2, stdout: '' });
    expect((await a3s(`attest measure --ovmf=good.fd ${LAUNCH}`)).status).toBe(0);
  });
});

describe('attest explain', () => {
  const explain = (flags: string) => a3s(`attest explain ${LAUNCH} ${flags}`);

  it('reports an expected launch as known to be vulnerable', async () => {
    const done = await explain(`--ovmf=listed.fd --actual=${DIGEST}`);
    expect(done.status).toBe(1);
    expect(done.stdout).toContain('✗ known-vulnerable: of the expected launch, the firmware');
    expect(done.stdout).toContain('✗ known-vulnerable: of the actual launch, the firmware');
    const json = JSON.parse((await explain(`--json --ovmf=listed.fd --actual=${DIGEST}`)).stdout);
    expect(json).toMatchObject({
      explained: true,
      code: 'known-vulnerable',
      knownVulnerable: [
        { of: 'expected', id: 'TEST-1', digest: FIRMWARE },
        { of: 'actual', id: 'TEST-1' },
      ],
    });
  });

  it('accepts an expected vulnerable launch when a policy excepts it', async () => {
    const done = await explain(`--policy=firmware.yaml --ovmf=listed.fd --actual=${DIGEST}`);
    expect(done.status).toBe(0);
    expect(done.stdout).not.toContain('known-vulnerable');
  });

  it('decides by the firmware in a record of the host that gives the actual digest', async () => {
    const record = launchRecordOf({ ...INPUTS, vcpus: 77, ovmf: Uint8Array.from(LISTED) });
    await writeFile(join(cwd, 'record.json'), JSON.stringify(record));
    const flags = `--ovmf=good.fd --record=record.json --actual=${record.digest}`;
    const done = await explain(flags);
    expect(done.status).toBe(1);
    expect(done.stdout).toContain(
      `✗ known-vulnerable: of the actual launch, the firmware ${PAGES}`,
    );
    expect(done.stdout).not.toContain('of the expected launch');
    expect((await explain(`--policy=pages.yaml ${flags}`)).status).toBe(0);
  });

  it('ignores a record of the host that gives another digest', async () => {
    const record = launchRecordOf({ ...INPUTS, ovmf: Uint8Array.from(LISTED) });
    await writeFile(join(cwd, 'record.json'), JSON.stringify(record));
    const { digest } = launchRecordOf({ ...INPUTS, ovmf: Uint8Array.from(ovmfImage()) });
    const done = await explain(`--ovmf=good.fd --record=record.json --actual=${digest}`);
    expect(done.status).toBe(0);
    expect(done.stdout).not.toContain('known-vulnerable');
  });

  it('recognises vulnerable firmware that was launched instead', async () => {
    const done = await explain(`--ovmf=good.fd --artefact=ovmf=listed.fd --actual=${DIGEST}`);
    expect(done.status).toBe(1);
    expect(done.stdout).toContain('of the actual launch, the firmware');
    const other = await explain(`--ovmf=good.fd --artefact=kernel=kernel --actual=${DIGEST}`);
    expect(other.stdout).not.toContain('known-vulnerable');
  });

  it('recognises a vulnerable launch digest, whatever its inputs', async () => {
    const done = await explain(`--ovmf=good.fd --actual=${'ee'.repeat(48)}`);
    expect(done.status).toBe(1);
    expect(done.stdout).toContain('of the actual launch, the launch digest eeee');
  });
});

describe('boot verify', () => {
  const listed = syntheticSet({ 'OVMF.fd': LISTED });
  const good = syntheticSet({ 'OVMF.fd': ovmfImage() });

  beforeEach(async () => {
    await writeSyntheticSet(join(cwd, 'listed'), listed);
    await writeSyntheticSet(join(cwd, 'good'), good);
    for (const name of ['id.pem', 'stranger.pem']) {
      const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-384' });
      const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
      await writeFile(join(cwd, name), pem, { mode: 0o600 });
    }
  });

  async function signed(key: string, output: string): Promise<string> {
    const done = await a3s(`boot sign --key ${key} --guest-svn 4 --cpus 2 -o ${output} ./good`);
    expect(done.status).toBe(0);
    return done.stdout.match(/^ID key digest +([0-9a-f]{96})$/m)?.[1] ?? '';
  }

  it('computes the launch digest of a boot set, and verifies its ID block', async () => {
    const key = await signed('id.pem', 'id.bin');
    const flags = `--cpus 2 --id-block id.bin --id-key-digest ${key}`;
    const done = await a3s(`boot verify ${flags} ./good`);
    expect(done).toMatchObject({ status: 0, stderr: '' });
    expect(done.stdout).toContain(`boot set           ${good.document.id}\n`);
    expect(done.stdout).toMatch(/^launch digest {6}[0-9a-f]{96}$/m);
    expect(done.stdout).toContain('guest SVN          4\n');
    expect((await a3s('boot verify ./good')).status).toBe(0);
    const again = await a3s('boot verify --tee simulate ./good');
    expect(again.stdout).not.toBe((await a3s('boot verify ./good')).stdout);
  });

  it('refuses an ID block by an unknown key or for another launch', async () => {
    const key = await signed('id.pem', 'id.bin');
    await signed('stranger.pem', 'stranger.bin');
    for (const [flags, words] of [
      [`--cpus 2 --id-block stranger.bin --id-key-digest ${key}`, 'the ID key is'],
      [`--cpus 3 --id-block id.bin --id-key-digest ${key}`, 'is for the launch'],
      [`--cpus 2 --id-block id.bin --author-key-digest ${key}`, 'the author key is none'],
    ]) {
      const done = await a3s(`boot verify ${flags} ./good`);
      expect(done).toMatchObject({ status: 1, stdout: '' });
      expect(done.stderr).toContain('(boot-set-invalid)');
      expect(done.stderr).toContain(words);
    }
  });

  it('refuses a changed ID block', async () => {
    const key = await signed('id.pem', 'id.bin');
    const bytes = await readFile(join(cwd, 'id.bin'));
    bytes.writeUInt8(bytes.readUInt8(0x44) ^ 1, 0x44);
    await writeFile(join(cwd, 'id.bin'), bytes);
    const done = await a3s(`boot verify --cpus 2 --id-block id.bin --id-key-digest ${key} ./good`);
    expect(done).toMatchObject({ status: 1, stdout: '' });
    expect(done.stderr).toContain('(boot-set-invalid)');
  });

  it('refuses a boot set with one changed byte', async () => {
    await writeFile(join(cwd, 'good', 'initrd'), 'the file initrD');
    const done = await a3s('boot verify ./good');
    expect(done).toMatchObject({ status: 1, stdout: '' });
    expect(done.stderr).toContain('(boot-set-invalid)');
    expect(done.stderr).toContain('initrd has the SHA-256');
  });

  it('refuses a vulnerable boot set unless a policy excepts its firmware', async () => {
    for (const flags of ['', '--cpus 200 ', '--policy pages.yaml ', '--policy another.yaml ']) {
      const done = await a3s(`boot verify ${flags}./listed`);
      expect(done).toMatchObject({ status: 1, stdout: '' });
      expect(done.stderr).toContain('(known-vulnerable)');
      expect(done.stderr).toContain('TEST-1');
    }
    expect((await a3s('boot verify --policy firmware.yaml ./listed')).status).toBe(0);
  });

  it('refuses to sign a vulnerable boot set', async () => {
    const done = await a3s('boot sign --key id.pem -o listed.bin ./listed');
    expect(done).toMatchObject({ status: 1, stdout: '' });
    expect(done.stderr).toContain('(known-vulnerable)');
    expect(await readdir(cwd)).not.toContain('listed.bin');
  });

  it.each([
    ['boot verify --id-block id.bin ./good', 'say whose key you trust'],
    [`boot verify --id-key-digest ${'ab'.repeat(48)} ./good`, 'say whose key you trust'],
    ['boot verify --id-block kernel --id-key-digest ab ./good', 'exactly 96 hexadecimal digits'],
    [`boot verify --id-block kernel --id-key-digest ${'ab'.repeat(48)} ./good`, 'has 6 bytes'],
    ['boot verify --cpus 0 ./good', 'it takes 1 to 4096'],
    ['boot verify --tee sgx ./good', 'it takes snp or simulate'],
    ['boot verify --policy kernel ./good', '(policy-invalid)'],
    ['boot verify ffff', '(no-such-boot-set)'],
  ])('refuses the command line: %s', async (line, message) => {
    const done = await a3s(line);
    expect(done.stdout).toBe('');
    expect(done.status).not.toBe(0);
    expect(done.stderr).toContain(message);
  });
});
