import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { crlDer, GENOA, MILAN, TURIN, vcekDer } from '../testing/certificates.ts';
import { testDirectory } from '../testing/directory.ts';
import { refusal } from '../testing/refusal.ts';
import { EndorsementStore } from './store.ts';
import { importTrusteeStore } from './trustee.ts';

let source: string;
let store: EndorsementStore;

beforeEach(() => {
  source = testDirectory();
  store = new EndorsementStore({ directory: testDirectory(), verifyVek: () => {} });
});

async function put(chip: string, name: string, bytes: Uint8Array | string): Promise<string> {
  const path = join(source, 'vcek', chip, name);
  await mkdir(join(source, 'vcek', chip), { recursive: true });
  await writeFile(path, bytes);
  return path;
}

describe('importTrusteeStore', () => {
  it('imports the VCEKs of a Trustee store, named by TCB and by chip alone', async () => {
    await put(MILAN.chipId, 'bl04_tee00_snp24_ucode219_vcek.der', vcekDer(MILAN));
    await put(GENOA.chipId.toUpperCase(), 'vcek.der', vcekDer(GENOA));
    await put(TURIN.chipId, 'bl01_tee01_snp04_ucode81_fmc01_vcek.der', vcekDer(TURIN));
    expect(await importTrusteeStore(store, source)).toBe(3);
    for (const request of [MILAN, GENOA, TURIN]) {
      expect(await store.vcek(request)).toEqual(expect.any(Uint8Array));
    }
  });

  it('ignores other files in a Trustee store', async () => {
    await put(MILAN.chipId, 'vcek.der', vcekDer(MILAN));
    await put(MILAN.chipId, 'README', 'hello');
    await put('notes', 'vcek.der', 'hello');
    expect(await importTrusteeStore(store, source)).toBe(1);
  });

  it('refuses a Trustee store with a malformed VCEK, names the file and imports nothing', async () => {
    await put(MILAN.chipId, 'vcek.der', vcekDer(MILAN));
    const path = await put(TURIN.chipId, 'vcek.der', crlDer());
    const error = await refusal(() => importTrusteeStore(store, source));
    expect(error.code).toBe('store-malformed');
    expect(error.message).toContain(path);
    expect(await store.vcek(MILAN)).toBeUndefined();
  });

  it('refuses a Trustee store with a dangling link in the place of a VCEK', async () => {
    await mkdir(join(source, 'vcek', TURIN.chipId), { recursive: true });
    await symlink('gone', join(source, 'vcek', TURIN.chipId, 'vcek.der'));
    const error = await refusal(() => importTrusteeStore(store, source));
    expect(error.code).toBe('store-malformed');
    expect(error.found).toBe('none');
  });

  it('refuses a directory that holds no Trustee store', async () => {
    const error = await refusal(() => importTrusteeStore(store, source));
    expect(error.code).toBe('store-malformed');
    expect(error.message).toContain(join(source, 'vcek'));
  });
});
