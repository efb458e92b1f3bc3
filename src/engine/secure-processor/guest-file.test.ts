import { chmod, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SimulatedGuestState } from '@a3s-box/attestation/simulated';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readGuestFile, writeGuestFile } from './guest-file.ts';

const VM_DIGEST = 'ab'.repeat(32);
const guest: SimulatedGuestState = {
  format: 'a3s-box-simulated-guest',
  version: 1,
  notice: 'SIMULATED, NOT HARDWARE: nothing protects this guest.',
  chipId: '01'.repeat(64),
  measurement: '02'.repeat(48),
  hostData: '03'.repeat(32),
  policy: '0x30000',
  familyId: '04'.repeat(16),
  imageId: '05'.repeat(16),
  guestSvn: 1,
  idKeyDigest: '06'.repeat(48),
  authorKeyDigest: '07'.repeat(48),
  authorKeyEn: false,
  reportId: '08'.repeat(32),
  vmrk: '09'.repeat(32),
};

let directory: string;
let path: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'guest-file-'));
  path = join(directory, 'guest.json');
});
afterEach(() => rm(directory, { recursive: true }));

it('reads back the guest file that was last written', async () => {
  await writeGuestFile(path, VM_DIGEST, { ...guest, guestSvn: 2 });
  await writeGuestFile(path, VM_DIGEST, guest);
  expect(await readGuestFile(path, VM_DIGEST)).toEqual(guest);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

const unusable = expect.objectContaining({ code: 'state-unusable', remedy: expect.anything() });

it('refuses the guest file of another microVM', async () => {
  await writeGuestFile(path, VM_DIGEST, guest);
  await expect(readGuestFile(path, 'cd'.repeat(32))).rejects.toEqual(unusable);
});

it('refuses a guest file that is missing, damaged, too long or open to others', async () => {
  await expect(readGuestFile(path, VM_DIGEST)).rejects.toEqual(unusable);
  for (const text of ['', '{}', '{"schema":"a3s-box/simulated-guest-file/v2"}']) {
    await writeFile(path, text, { mode: 0o600 });
    await expect(readGuestFile(path, VM_DIGEST)).rejects.toEqual(unusable);
  }
  await writeGuestFile(path, VM_DIGEST, guest);
  const text = await readFile(path, 'utf8');
  await writeFile(path, text + ' '.repeat(20_000));
  await expect(readGuestFile(path, VM_DIGEST)).rejects.toEqual(unusable);
  await writeGuestFile(path, VM_DIGEST, guest);
  await chmod(path, 0o640);
  await expect(readGuestFile(path, VM_DIGEST)).rejects.toEqual(unusable);
});

it('refuses a guest file that is a link', async () => {
  await writeGuestFile(`${path}.else`, VM_DIGEST, guest);
  await symlink(`${path}.else`, path);
  await expect(readGuestFile(path, VM_DIGEST)).rejects.toEqual(unusable);
});

it('reports a guest file that cannot be written because its directory is missing', async () => {
  const nowhere = join(directory, 'none', 'guest.json');
  await expect(writeGuestFile(nowhere, VM_DIGEST, guest)).rejects.toEqual(unusable);
});
