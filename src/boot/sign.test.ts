import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { idKeyDigest, measureOvmf, verifyIdBlock } from '@a3s-box/attestation/measure';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ovmfImage } from '../cli/testing/ovmf-image.ts';
import { type BootSet, readBootSet } from './bootset.ts';
import { CONFIDENTIAL_COMMAND_LINES } from './profiles.ts';
import { launchInputs, type SignRequest, signBootSet } from './sign.ts';
import { syntheticSet, writeSyntheticSet } from './testing/synthetic-set.ts';

let directory: string;
let set: BootSet;
const idKey = p384();
const authorKey = p384();

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'boot-sign-'));
  await writeSyntheticSet(directory, syntheticSet({ 'OVMF.fd': ovmfImage() }));
  set = await readBootSet(directory);
});
afterAll(() => rm(directory, { recursive: true }));

function p384(): KeyObject {
  return generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey;
}

function request(change: Partial<SignRequest> = {}): SignRequest {
  const ids = { familyId: new Uint8Array(16).fill(1), imageId: new Uint8Array(16).fill(2) };
  return { set, tee: 'snp', cpus: 2, idKey, guestSvn: 7, ...ids, ...change };
}

test('signs an ID block for exactly what the boot set launches', async () => {
  const signed = await signBootSet(request({ authorKey }));
  expect(signed.bytes).toHaveLength(96 + 4096);
  const verified = verifyIdBlock(signed.bytes.subarray(0, 96), signed.bytes.subarray(96));
  const { files } = syntheticSet({ 'OVMF.fd': ovmfImage() });
  const { digest } = measureOvmf({
    vmm: 'qemu',
    ovmf: Uint8Array.from(files['OVMF.fd']),
    kernel: Uint8Array.from(files.bzImage),
    initrd: Uint8Array.from(files['initrd-confidential']),
    append: CONFIDENTIAL_COMMAND_LINES.snp.join(' '),
    vcpus: 2,
    vcpuType: 'EPYC-Milan-v2',
  });
  expect(Buffer.from(verified.idBlock.launchDigest).toString('hex')).toBe(digest);
  expect(verified.idBlock).toMatchObject({ guestSvn: 7, policy: 0x30000n });
  expect([verified.idBlock.familyId[0], verified.idBlock.imageId[0]]).toEqual([1, 2]);
  expect(verified.idKeyDigest).toEqual(idKeyDigest(idKey));
  expect(verified.authorKeyDigest).toEqual(idKeyDigest(authorKey));
  expect(signed).toMatchObject({
    launchDigest: digest,
    idKeyDigest: Buffer.from(idKeyDigest(idKey)).toString('hex'),
    authorKeyDigest: Buffer.from(idKeyDigest(authorKey)).toString('hex'),
  });
});

test('signs another launch digest for other vCPUs and another TEE', async () => {
  const digests = await Promise.all(
    [request(), request({ cpus: 1 }), request({ tee: 'simulated' })].map(
      async (each) => (await signBootSet(each)).launchDigest,
    ),
  );
  expect(new Set(digests).size).toBe(3);
  expect((await signBootSet(request())).authorKeyDigest).toBeUndefined();
});

test.each([
  ['another curve', generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey],
  ['Ed25519', generateKeyPairSync('ed25519').privateKey],
  ['RSA', generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey],
  ['a public key', generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey],
])('refuses a key that ID blocks do not support: %s', async (_, key) => {
  await expect(signBootSet(request({ idKey: key }))).rejects.toMatchObject({ code: 'key-invalid' });
  await expect(signBootSet(request({ authorKey: key }))).rejects.toMatchObject({
    code: 'key-invalid',
  });
});

test('refuses to sign for firmware that differs from its document', async () => {
  await writeFile(join(directory, 'OVMF.fd'), ovmfImage(0x91));
  await expect(launchInputs(set, 'snp', 1)).rejects.toMatchObject({ code: 'boot-set-missing' });
  await writeFile(join(directory, 'OVMF.fd'), ovmfImage());
  await expect(launchInputs({ ...set, confidential: undefined }, 'snp', 1)).rejects.toThrow(
    'older',
  );
});
