import { mkdir, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { AttestationError } from '../../errors.ts';
import { readVector } from '../../testing/read-vectors.ts';
import { crlDer, GENOA, MILAN, NOW, TURIN, vcekDer } from '../testing/certificates.ts';
import { testDirectory } from '../testing/directory.ts';
import { refusal } from '../testing/refusal.ts';
import { EndorsementStore, type VerifyCrl } from './store.ts';

const MILAN_FILE = `vcek/${MILAN.chipId}/bl04_tee00_snp24_ucode219_vcek.der`;
const TURIN_FILE = `vcek/${TURIN.chipId}/bl01_tee01_snp04_ucode81_fmc01_vcek.der`;
const EARLIER = new Date(NOW.getTime() - 3_600_000);

let directory: string;
let store: EndorsementStore;

beforeEach(() => {
  directory = testDirectory();
  store = new EndorsementStore({ directory, verifyCrl: () => {}, verifyVek: () => {} });
});

async function all(vceks: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> {
  const found = [];
  for await (const der of vceks) found.push(der);
  return found;
}

describe('VCEKs in a store', () => {
  it('finds a stored VCEK by chip and TCB', async () => {
    const ders = [MILAN, GENOA, TURIN].map((request) => vcekDer(request));
    for (const der of ders) await store.putVcek(der);
    expect(await store.vcek(MILAN)).toEqual(ders[0]);
    expect(await store.vcek({ ...TURIN, chipId: TURIN.chipId.padEnd(128, '0') })).toEqual(ders[2]);
    expect(await store.vcek({ ...MILAN, tcb: { ...MILAN.tcb, snp: 23 } })).toBeUndefined();
    expect(await all(store.vceks())).toHaveLength(3);
  });

  it('stores VCEKs at the paths that Trustee uses, readable by the owner only', async () => {
    for (const request of [MILAN, TURIN]) await store.putVcek(vcekDer(request));
    for (const file of [MILAN_FILE, TURIN_FILE]) {
      expect((await stat(join(directory, file))).mode & 0o777).toBe(0o600);
    }
    expect((await stat(join(directory, 'vcek'))).mode & 0o777).toBe(0o700);
  });

  it('stores only VCEKs that AMD signed, unless another verifier is given', async () => {
    const strict = new EndorsementStore({ directory });
    const { vek = new Uint8Array() } = readVector('hardware/genoa-v5').evidence;
    const forged = Uint8Array.from(vek);
    forged[vek.length - 1] = (forged[vek.length - 1] ?? 0) ^ 1;
    const error = await refusal(() => strict.putVcek(forged));
    expect(error.code).toBe('vek-signature');
    expect(await readdir(directory)).toEqual([]);
    await strict.putVcek(vek);
    expect(await readdir(directory)).toEqual(['vcek']);
  });

  it('replaces a stored VCEK with one that is issued again', async () => {
    const again = vcekDer(MILAN, new Date('2026-04-01T00:00:00Z'));
    await store.putVcek(vcekDer(MILAN));
    await store.putVcek(again);
    expect(await store.vcek(MILAN)).toEqual(again);
  });

  it('finds nothing in a store whose directory does not exist', async () => {
    const none = new EndorsementStore({ directory: join(directory, 'none') });
    expect(await none.vcek(MILAN)).toBeUndefined();
    expect(await all(none.vceks())).toEqual([]);
    expect(await none.crl('VCEK', 'Milan', NOW)).toBeUndefined();
  });

  it('refuses a stored VCEK that is damaged or of another chip, and names its file', async () => {
    await store.putVcek(vcekDer(MILAN));
    for (const bytes of [vcekDer(MILAN).subarray(0, 99), vcekDer(GENOA), new Uint8Array(99_999)]) {
      await writeFile(join(directory, MILAN_FILE), bytes);
      for (const read of [() => store.vcek(MILAN), () => all(store.vceks())]) {
        const error = await refusal(read);
        expect(error.code).toBe('store-malformed');
        expect(error.message).toContain(MILAN_FILE);
      }
    }
  });

  it('lists VCEKs and ignores other files in the store', async () => {
    await store.putVcek(vcekDer(MILAN));
    await writeFile(join(directory, `${MILAN_FILE}.0.new`), 'half');
    await writeFile(join(directory, 'vcek', 'notes'), 'some');
    expect(await all(store.vceks())).toHaveLength(1);
  });

  it('lists VCEKs and ignores files that vanish meanwhile', async () => {
    await store.putVcek(vcekDer(MILAN));
    const path = join(directory, MILAN_FILE);
    await symlink('gone', join(dirname(path), 'bl01_vcek.der'));
    expect(await all(store.vceks())).toHaveLength(1);
  });

  it('refuses to store as a VCEK what is no VCEK', async () => {
    const error = await refusal(() => store.putVcek(crlDer()));
    expect(error.code).toBe('vek-encoding');
    expect(await readdir(directory)).toEqual([]);
  });

  it('refuses a malformed VCEK request before it reads the store', async () => {
    await expect(store.vcek({ ...MILAN, chipId: '../../../../etc' })).rejects.toThrow(RangeError);
  });
});

describe('revocation lists in a store', () => {
  it('finds a stored revocation list by kind and product, with the time it was obtained', async () => {
    await store.putCrl('VCEK', 'Milan', { der: crlDer(), obtainedAt: EARLIER }, NOW);
    expect(await store.crl('VCEK', 'Milan', NOW)).toEqual({ der: crlDer(), obtainedAt: EARLIER });
    expect(await store.crl('VLEK', 'Milan', NOW)).toBeUndefined();
    expect(await store.crl('VCEK', 'Genoa', NOW)).toBeUndefined();
    expect(await readdir(join(directory, 'crl'))).toEqual([
      'Milan-vcek-4.crl',
      'Milan-vcek-4.json',
    ]);
  });

  it('replaces a revocation list with one of a higher number, compared by value', async () => {
    for (const number of [9n, 10n, 2n ** 159n]) {
      const der = crlDer({ number });
      await store.putCrl('VCEK', 'Milan', { der, obtainedAt: NOW }, NOW);
      expect((await store.crl('VCEK', 'Milan', NOW))?.der).toEqual(der);
    }
  });

  it('refuses to replace a revocation list with an older one', async () => {
    const kept = crlDer({ number: 5n });
    await store.putCrl('VCEK', 'Milan', { der: kept, obtainedAt: NOW }, NOW);
    const old = { der: crlDer({ number: 4n }), obtainedAt: NOW };
    const error = await refusal(() => store.putCrl('VCEK', 'Milan', old, NOW));
    expect(error.code).toBe('crl-rollback');
    expect(error.expected).toContain('number 5 or higher');
    expect(error.found).toBe('number 4');
    expect((await store.crl('VCEK', 'Milan', NOW))?.der).toEqual(kept);
    await store.putCrl('VLEK', 'Milan', old, NOW);
  });

  it('replaces a revocation list with one of the same number that was issued later', async () => {
    const early = {
      der: crlDer({ thisUpdate: new Date('2026-01-01T00:00:00Z') }),
      obtainedAt: NOW,
    };
    const late = { der: crlDer({ thisUpdate: new Date('2026-02-01T00:00:00Z') }), obtainedAt: NOW };
    await store.putCrl('VCEK', 'Milan', early, NOW);
    await store.putCrl('VCEK', 'Milan', late, NOW);
    const error = await refusal(() => store.putCrl('VCEK', 'Milan', early, NOW));
    expect(error.code).toBe('crl-rollback');
    expect(await store.crl('VCEK', 'Milan', NOW)).toEqual(late);
  });

  it('keeps the newest revocation list when several writers race', async () => {
    const numbers = [3n, 1n, 4n, 2n, 5n];
    const puts = numbers.map((number) =>
      store.putCrl('VCEK', 'Milan', { der: crlDer({ number }), obtainedAt: NOW }, NOW),
    );
    await Promise.allSettled(puts);
    expect((await store.crl('VCEK', 'Milan', NOW))?.der).toEqual(crlDer({ number: 5n }));
  });

  it('stores a revocation list only after it is verified', async () => {
    const seen: unknown[] = [];
    const verifyCrl: VerifyCrl = async (...question) => {
      seen.push(question);
      throw new AttestationError('crl-signature', 'not signed');
    };
    const strict = new EndorsementStore({ directory, verifyCrl });
    const forged = { der: crlDer({ number: 2n ** 159n }), obtainedAt: NOW };
    const error = await refusal(() => strict.putCrl('VCEK', 'Milan', forged, NOW));
    expect(error.code).toBe('crl-signature');
    expect(seen).toEqual([[forged.der, 'Milan', NOW]]);
    expect(await readdir(directory)).toEqual([]);
  });

  it('verifies a revocation list against the pinned roots by default', async () => {
    const strict = new EndorsementStore({ directory });
    const crl = { der: crlDer(), obtainedAt: NOW };
    const error = await refusal(() => strict.putCrl('VCEK', 'Milan', crl, NOW));
    expect(error.code).toMatch(/^crl-(issuer|signature)$/);
  });

  it('refuses a revocation list that another root issued', async () => {
    const crl = { der: crlDer({ product: 'Genoa' }), obtainedAt: NOW };
    const error = await refusal(() => store.putCrl('VCEK', 'Milan', crl, NOW));
    expect(error.code).toBe('crl-issuer');
  });

  it('counts the age of a revocation list from its issue where the receipt is missing', async () => {
    const thisUpdate = new Date('2026-01-30T12:00:00Z');
    const crl = { der: crlDer({ thisUpdate }), obtainedAt: NOW };
    await store.putCrl('VCEK', 'Milan', crl, NOW);
    expect((await store.crl('VCEK', 'Milan', EARLIER))?.obtainedAt).toEqual(thisUpdate);
    await rm(join(directory, 'crl', 'Milan-vcek-4.json'));
    expect((await store.crl('VCEK', 'Milan', NOW))?.obtainedAt).toEqual(thisUpdate);
  });

  it('refuses a damaged revocation list, and names its file, until it is stored again', async () => {
    const crl = { der: crlDer(), obtainedAt: NOW };
    await store.putCrl('VCEK', 'Milan', crl, NOW);
    const path = join(directory, 'crl', 'Milan-vcek-4.crl');
    await writeFile(path, (await readFile(path)).subarray(0, 100));
    const error = await refusal(() => store.crl('VCEK', 'Milan', NOW));
    expect(error.code).toBe('store-malformed');
    expect(error.message).toContain(path);
    await store.putCrl('VCEK', 'Milan', crl, NOW);
    expect(await store.crl('VCEK', 'Milan', NOW)).toEqual(crl);
  });

  it('refuses a stored revocation list with another number than its file name', async () => {
    await store.putCrl('VCEK', 'Milan', { der: crlDer(), obtainedAt: NOW }, NOW);
    const path = join(directory, 'crl', 'Milan-vcek-4.crl');
    await rename(path, join(dirname(path), 'Milan-vcek-7.crl'));
    const error = await refusal(() => store.crl('VCEK', 'Milan', NOW));
    expect(error.code).toBe('store-malformed');
    expect(error.expected).toBe('7');
    expect(error.found).toBe('4');
  });

  it('finds no revocation list when its file vanishes meanwhile', async () => {
    await mkdir(join(directory, 'crl'));
    await symlink('gone', join(directory, 'crl', 'Milan-vcek-9.crl'));
    expect(await store.crl('VCEK', 'Milan', NOW)).toBeUndefined();
  });

  it('ignores files that are no revocation lists', async () => {
    await mkdir(join(directory, 'crl'));
    for (const name of ['Milan-vcek-x.crl', 'Milan-vcek-04.crl', 'Milan-vcek-9.crl.0.new', 'a']) {
      await writeFile(join(directory, 'crl', name), '');
    }
    expect(await store.crl('VCEK', 'Milan', NOW)).toBeUndefined();
  });
});

describe('any files in a store', () => {
  const content = fc.oneof(
    fc.uint8Array(),
    fc.constantFrom(vcekDer(MILAN), vcekDer(TURIN), crlDer(), crlDer({ number: 5n })),
    fc.jsonValue().map((value) => new TextEncoder().encode(JSON.stringify(value))),
  );

  it(
    'reads any stored files as valid endorsements, or refuses them',
    async () => {
      await store.putVcek(vcekDer(MILAN));
      await store.putCrl('VCEK', 'Milan', { der: crlDer(), obtainedAt: NOW }, NOW);
      await fuzz(
        fc.asyncProperty(content, content, content, async (vcek, crl, receipt) => {
          await writeFile(join(directory, MILAN_FILE), vcek);
          await writeFile(join(directory, 'crl', 'Milan-vcek-4.crl'), crl);
          await writeFile(join(directory, 'crl', 'Milan-vcek-4.json'), receipt);
          const reads: [() => Promise<unknown>, unknown][] = [
            [() => store.vcek(MILAN), vcek],
            [() => store.crl('VCEK', 'Milan', NOW), { der: crl, obtainedAt: expect.any(Date) }],
          ];
          for (const [read, expected] of reads) {
            const outcome = await read().catch((error: unknown) => error);
            if (outcome instanceof Error) expect(outcome).toHaveProperty('code', 'store-malformed');
            else expect(outcome).toEqual(expected);
          }
        }),
      );
    },
    FUZZ_TIMEOUT,
  );
});
