import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { verifyIdBlock } from '@a3s-box/attestation/measure';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { syntheticSet, writeSyntheticSet } from '../../../boot/testing/synthetic-set.ts';
import { type FakeEnds, type Transcript, transcript } from '../../testing/fake-context.ts';
import { ovmfImage } from '../../testing/ovmf-image.ts';

const SET = syntheticSet({ 'OVMF.fd': ovmfImage() });
const { id: ID } = SET.document;

let cwd: string;
beforeEach(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'boot-cli-'));
  await writeSyntheticSet(join(cwd, 'set'), SET);
});
afterEach(() => rm(cwd, { recursive: true }));

/** Runs a boot command without a server. */
function a3s(args: string, ends: FakeEnds = {}): Promise<Transcript> {
  const bootDir = join(cwd, 'set');
  const home = join(cwd, 'home');
  return transcript('/nonexistent', ['boot', ...args.split(' ')], { cwd, home, bootDir, ...ends });
}

describe('boot ls', () => {
  it('lists the installed boot set and the imported ones', async () => {
    const other = syntheticSet({ initrd: Buffer.from('another') });
    await writeSyntheticSet(join(cwd, 'other'), other);
    expect((await a3s('import other')).stdout).toBe(`${other.document.id}\n`);
    const { stdout } = await a3s('ls');
    expect(stdout.split('\n').map((line) => line.split(/ {2,}/))).toEqual([
      ['BOOT SET ID', 'AGENT', 'KERNEL', 'FIRMWARE', 'SIZE', 'ORIGIN'],
      [ID.slice(0, 12), '1.2.3', '6-test', '1-1', expect.any(String), 'installed'],
      [other.document.id.slice(0, 12), '1.2.3', '6-test', '1-1', expect.any(String), 'imported'],
      [''],
    ]);
    expect((await a3s('ls -q --no-trunc')).stdout).toBe(`${ID}\n${other.document.id}\n`);
    expect((await a3s(`rm ${other.document.id.slice(0, 8)}`)).status).toBe(0);
    expect((await a3s('ls --format {{.Origin}}')).stdout).toBe('installed\npinned\n');
  });
});

describe('boot inspect', () => {
  it('shows everything that a boot set is made of', async () => {
    const { stdout } = await a3s(`inspect ${ID.slice(0, 10)} ./set/`);
    const [byId, byPath] = JSON.parse(stdout);
    expect(byId).toEqual({
      ...SET.document,
      ...{ directory: join(cwd, 'set'), current: true, imported: false },
    });
    expect(byPath).toMatchObject({ id: ID, current: false });
  });

  it('reports a missing boot set after it shows the existing ones', async () => {
    const { status, stdout, stderr } = await a3s(`inspect -f {{.id}} ${ID} ffff`);
    expect([status, stdout]).toEqual([1, `${ID}\n`]);
    expect(stderr).toContain('(no-such-boot-set)');
  });
});

describe('boot export and import', () => {
  it('moves a boot set to another home', async () => {
    expect(await a3s('export set.tar')).toMatchObject({ status: 0, stdout: `${ID}\n` });
    const elsewhere = { home: join(cwd, 'elsewhere', 'home'), bootDir: '/nonexistent' };
    expect((await a3s('import set.tar', elsewhere)).stdout).toBe(`${ID}\n`);
    expect((await stat(elsewhere.home)).mode & 0o777).toBe(0o700);
    expect((await a3s(`export --set ${ID} again.tar`, elsewhere)).stdout).toBe(`${ID}\n`);
    expect(await readFile(join(cwd, 'again.tar'))).toEqual(await readFile(join(cwd, 'set.tar')));
  });

  it('imports a boot set from standard input', async () => {
    await a3s('export set.tar');
    const stdin = new PassThrough();
    stdin.end(await readFile(join(cwd, 'set.tar')));
    expect((await a3s('import -', { stdin })).stdout).toBe(`${ID}\n`);
  });

  it('refuses a damaged boot set, and leaves no files of it', async () => {
    await a3s('export set.tar');
    const archive = await readFile(join(cwd, 'set.tar'));
    await writeFile(join(cwd, 'set.tar'), archive.fill('x', archive.indexOf('the file initrd')));
    const refused = await a3s('import set.tar');
    expect(refused).toMatchObject({ status: 1, stdout: '' });
    expect(refused.stderr).toContain('(boot-set-invalid)');
    expect(await readdir(join(cwd, 'home', 'boot'))).toEqual([]);
    await writeFile(join(cwd, 'set', 'initrd'), 'the file initrD');
    expect((await a3s('export broken.tar')).stderr).toContain('(boot-set-missing)');
    expect((await readdir(cwd)).sort()).toEqual(['home', 'set', 'set.tar']);
  });

  it('reports a missing archive or directory', async () => {
    expect((await a3s('import nothing.tar')).stderr).toContain(
      'open nothing.tar: no such file or directory',
    );
    expect((await a3s('export nowhere/set.tar')).stderr).toContain('does not exist');
    expect((await a3s('import ./home')).status).toBe(1);
  });
});

describe('boot sign', () => {
  beforeEach(async () => {
    for (const [name, namedCurve] of [
      ['id.pem', 'P-384'],
      ['author.pem', 'P-384'],
      ['short.pem', 'P-256'],
    ] as const) {
      const { privateKey } = generateKeyPairSync('ec', { namedCurve });
      const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
      await writeFile(join(cwd, name), pem, { mode: 0o600 });
    }
  });

  it('writes the ID block and its authentication, and prints what policies name', async () => {
    const ids = `--family-id ${'0a'.repeat(16)} --image-id ${'0b'.repeat(16)}`;
    const { status, stdout } = await a3s(
      `sign --key id.pem --author-key author.pem --guest-svn 3 --cpus 2 ${ids} -o id.bin ./set`,
    );
    expect(status).toBe(0);
    const bytes = await readFile(join(cwd, 'id.bin'));
    const verified = verifyIdBlock(bytes.subarray(0, 96), bytes.subarray(96));
    expect(verified.idBlock).toMatchObject({ guestSvn: 3, policy: 0x30000n });
    const hex = (of: Uint8Array | undefined): string => Buffer.from(of ?? []).toString('hex');
    expect(hex(verified.idBlock.familyId)).toBe('0a'.repeat(16));
    expect(stdout.split('\n').map((line) => line.split(/ {2,}/))).toEqual([
      ['launch digest', hex(verified.idBlock.launchDigest)],
      ['ID key digest', hex(verified.idKeyDigest)],
      ['author key digest', hex(verified.authorKeyDigest)],
      [''],
    ]);
  });

  it.each([
    ['sign -o id.bin ./set', 'flag --key is missing'],
    ['sign --key id.pem ./set', 'flag -o, --output is missing'],
    ['sign --key short.pem -o id.bin ./set', '(key-invalid)'],
    ['sign --key id.pem --author-key short.pem -o id.bin ./set', '(key-invalid)'],
    ['sign --key id.pem -o id.bin ffff', '(no-such-boot-set)'],
    ['sign --key id.pem -o id.bin --cpus 0 ./set', 'it takes 1 to 4096'],
    ['sign --key id.pem -o id.bin --guest-svn 4294967296 ./set', 'it takes 0 to 4294967295'],
    ['sign --key id.pem -o id.bin --family-id 00 ./set', 'exactly 32 hexadecimal digits'],
    ['sign --key id.pem -o id.bin --tee sgx ./set', 'it takes snp or simulate'],
  ])('refuses the command boot %s', async (args, message) => {
    const { status, stderr, stdout } = await a3s(args);
    expect(status).not.toBe(0);
    expect(stdout).toBe('');
    expect(stderr).toContain(message);
    expect(await readdir(cwd)).not.toContain('id.bin');
  });
});
